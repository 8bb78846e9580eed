"""`simil serve`: the model for other programs, over HTTP."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

from simil.cli.options import types as opt
from simil.cli.options.declarations import Option
from simil.cli.options.groups import ModelFlags, expanded

if TYPE_CHECKING:
    from simil.server.served_names import ServedNames

__all__ = ["serve"]


@expanded
def serve(
    host: Annotated[
        str,
        Option(
            "--host",
            metavar="ADDRESS",
            help="Where to listen; an address that other machines reach needs --api-key.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, Option("--port", metavar="N", min=0, help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    api_key: Annotated[
        str | None,
        Option(
            "--api-key",
            metavar="KEY",
            help="Answer only requests that send this key. \\[env: SIMIL_SERVE_API_KEY]",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        Option(
            "--name",
            metavar="NAME",
            help="Another name by which clients may ask for the model; may be repeated.",
        ),
    ] = None,
    no_normalize: opt.NoNormalize = False,
    env_file: opt.EnvFile = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    *,
    model: ModelFlags,
) -> None:
    """Serve the model to other programs over HTTP, as OpenAI's API does.

    simil serve -m minilm · curl localhost:8000/v1/embeddings -d '{"input": "Apple"}'
    """
    from simil.cli.options.run import notes_on_stderr, session_run
    from simil.server.model_server import ServerOptions, serve_model
    from simil.server.serve_libraries import require_for_serving

    require_for_serving()
    options = ServerOptions(
        host,
        port,
        api_key or os.environ.get("SIMIL_SERVE_API_KEY") or None,
        name or [],
        normalize=not no_normalize,
    )

    def tell(url: str, names: ServedNames) -> None:
        if not quiet:
            sys.stderr.write(f"simil: {names.stamp} is served at {url}/v1; Ctrl-C ends\n")
            sys.stderr.flush()

    # The engine for many texts takes all of them: a text's vector is the same in any request.
    settings = model.settings(env_file).replaced(expects_many=True)
    with (
        notes_on_stderr(quiet=quiet, verbose=verbose),
        session_run(
            settings, model.dimensions, on_error="fail", normalize=options.normalize, quiet=quiet
        ) as run,
    ):
        serve_model(run.session, options, tell)

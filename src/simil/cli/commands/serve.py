"""`simil serve`: the model for other programs, over HTTP."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

from simil.cli.options import types as opt
from simil.cli.options.completion import reranker_names
from simil.cli.options.declarations import Option
from simil.cli.options.groups import ModelFlags, expanded
from simil.foreign import note_signal

__all__ = ["serve"]


@expanded
def serve(
    host: Annotated[
        str,
        Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; one that other machines can reach needs --api-key.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, Option("--port", metavar="N", min=0, help="Port to listen on; 0 picks a free one.")
    ] = 8000,
    api_key: Annotated[
        str | None,
        Option(
            "--api-key",
            metavar="KEY",
            help="Answer only requests that carry this key.",
            variable="SIMIL_SERVE_API_KEY",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        Option(
            "--name", metavar="NAME", help="Another name that clients may use for the model; may be repeated."
        ),
    ] = None,
    rerank: Annotated[
        str | None,
        Option(
            "--rerank",
            metavar="NAME",
            help="Also serve this cross-encoder, at /rerank.",
            autocompletion=reranker_names,
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
    from simil.config import serve_key
    from simil.errors import UsageError
    from simil.server.model_server import ServerOptions, serve_model
    from simil.server.serve_libraries import require_for_serving

    require_for_serving()
    if api_key is not None and not api_key.strip():
        raise UsageError("--api-key is empty", hint="pass a key, or leave it out")
    options = ServerOptions(
        host,
        port,
        api_key.strip() if api_key is not None else serve_key(env_file),
        name or [],
        rerank,
        normalize=not no_normalize,
    )

    def tell(url: str, stamps: Sequence[str]) -> None:
        if not quiet:
            are = "is" if len(stamps) == 1 else "are"
            sys.stderr.write(f"simil: {' and '.join(stamps)} {are} served at {url}/v1; Ctrl-C ends\n")
            sys.stderr.flush()

    # The engine for many texts takes all of them: a text's vector is the same in any request.
    settings = model.settings(env_file).replaced(expects_many=True, gathers_writes=True)
    with (
        notes_on_stderr(quiet=quiet, verbose=verbose),
        session_run(
            settings, model.dimensions, on_error="fail", normalize=options.normalize, quiet=quiet
        ) as run,
    ):
        stopped_by = serve_model(run.session, options, tell)
    if stopped_by == signal.SIGINT:
        note_signal(stopped_by)  # Ctrl-C is an interrupt; a service that is told to stop has done well.

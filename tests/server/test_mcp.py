"""`simil mcp`, asked by the SDK's own client, which starts the real process and speaks to it by pipes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import lance
import numpy as np
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, MCPDeprecationWarning, MCPError, StdioServerParameters, stdio_client
from mcp.types import INVALID_PARAMS, CallToolResult
from support.command import SIMIL, shell, simil, started

import simil as library

LINES = ("an apple", "the sea is calm", "a red car", "a pear and a plum")


@dataclass(frozen=True)
class Program:
    """A program that asks `simil mcp` for something, and waits for the answer."""

    portal: BlockingPortal
    client: Client

    def call(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """Call a tool."""
        return self.portal.call(self.client.call_tool, tool, arguments)

    def data(self, tool: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Return the data of an answer that is no refusal."""
        result = self.call(tool, **arguments)
        assert not result.is_error, said(result)
        assert result.structured_content is not None
        return result.structured_content

    def refusal(self, tool: str, /, **arguments: Any) -> str:
        """Return the one line of a refusal."""
        result = self.call(tool, **arguments)
        assert result.is_error
        assert result.structured_content is None
        assert "\n" not in said(result)
        return said(result)


def said(result: CallToolResult) -> str:
    """Return the text of an answer."""
    (content,) = result.content
    assert content.type == "text"
    return content.text


@contextmanager
def asking(folder: Path, cache: Path, *arguments: str, mode: str = "auto") -> Iterator[Program]:
    """Start `simil mcp` in a folder, with a client."""
    server = StdioServerParameters(
        command=SIMIL[0],
        args=[*SIMIL[1:], "mcp", "-m", "minilm", *arguments],
        cwd=folder,
        env={**os.environ, "SIMIL_CACHE_DIR": str(cache)},
    )
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(stdio_client(server), mode=mode)) as client,
    ):
        yield Program(portal, client)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of texts, beside one that is nobody's business."""
    around = tmp_path_factory.mktemp("around")
    (around / "secret.txt").write_text("an apple that nobody may see\n", "utf-8")
    found = around / "named"
    (found / "deep").mkdir(parents=True)
    (found / "fruit.txt").write_text("".join(f"{line}\n" for line in LINES), "utf-8")
    (found / "table.csv").write_text('id,text\n7,an orange\n8,"a boat\nat sea"\n', "utf-8")
    (found / "deep" / "more.txt").write_text("\na banana\n", "utf-8")
    (found / "link.txt").symlink_to("../secret.txt")
    (found / "outside").symlink_to("..")
    return found


@pytest.fixture(scope="module")
def program(folder: Path, shared_cache: Path) -> Iterator[Program]:
    with asking(folder, shared_cache) as program:
        yield program


def test_every_tool_is_listed_with_what_it_takes_and_answers(program: Program) -> None:
    tools = program.portal.call(program.client.list_tools).tools

    assert [tool.name for tool in tools] == ["search", "compare", "embed", "models"]
    for tool in tools:
        assert tool.description
        assert tool.output_schema
        described = tool.input_schema["properties"].values()
        assert all("description" in argument for argument in described)
    assert [tool.name for tool in tools if tool.annotations and not tool.annotations.read_only_hint] == [
        "embed"
    ]


def test_a_search_finds_what_the_command_does(program: Program, folder: Path) -> None:
    found = program.data("search", query="fruit", paths=["fruit.txt"], top_k=3)
    printed = simil("search", "-m", "minilm", "-k", "3", "-f", "jsonl", "fruit", "fruit.txt", cwd=folder)
    expected = [json.loads(line) for line in printed.out.splitlines()]

    assert [hit["text"] for hit in found["hits"]] == [hit["content"] for hit in expected]
    assert [hit["score"] for hit in found["hits"]] == [round(hit["score"], 4) for hit in expected]
    assert [hit["line"] for hit in found["hits"]] == [LINES.index(hit["text"]) + 1 for hit in found["hits"]]
    assert {hit["path"] for hit in found["hits"]} == {"fruit.txt"}
    assert found["searched"] == len(LINES)


def test_the_text_of_an_answer_says_what_its_data_does(program: Program) -> None:
    result = program.call("search", query="fruit", paths=["fruit.txt"], top_k=1)
    assert result.structured_content is not None
    (hit,) = result.structured_content["hits"]

    assert said(result).splitlines()[1] == f"{hit['score']:.4f}  fruit.txt:1  an apple"


def test_a_folder_is_searched_without_what_its_links_lead_to(program: Program) -> None:
    found = program.data("search", query="apple", top_k=100)

    assert {hit["path"] for hit in found["hits"]} == {"fruit.txt", "table.csv", "deep/more.txt"}
    assert not any("nobody" in hit["text"] for hit in found["hits"])


def test_records_of_a_table_are_texts(program: Program) -> None:
    found = program.data("search", query="boat", paths=["table.csv"], top_k=1)

    assert [(hit["line"], hit["id"], hit["text"]) for hit in found["hits"]] == [(3, "8", "a boat at sea")]


@pytest.mark.parametrize("output", ["ids.npy", "ids.jsonl"])
def test_hits_in_saved_vectors_have_the_ids_of_their_texts(
    program: Program, folder: Path, output: str
) -> None:
    program.data("embed", path="table.csv", output=output)
    result = program.call("search", query="boat", paths=[output], top_k=1)
    assert result.structured_content is not None
    (hit,) = result.structured_content["hits"]
    for path in folder.glob("ids.*"):
        path.unlink()

    assert hit["id"] == "8"
    assert f"  {output}:2 8  a boat at sea" in said(result)


def test_several_paths_are_searched_as_one(program: Program) -> None:
    found = program.data("search", query="boat", paths=["table.csv", "deep", "fruit.txt", "fruit.txt"])

    assert found["searched"] == 2 + 1 + len(LINES)
    assert [hit["score"] for hit in found["hits"]] == sorted(
        (hit["score"] for hit in found["hits"]), reverse=True
    )


def test_a_threshold_that_nothing_reaches_is_an_answer(program: Program) -> None:
    result = program.call("search", query="fruit", paths=["fruit.txt"], threshold=0.99)

    assert result.structured_content is not None
    assert result.structured_content["hits"] == []
    assert said(result).startswith("none of 4 texts reaches the threshold; the best has 0.5")


@pytest.mark.parametrize(
    "path",
    ["..", "../secret.txt", "link.txt", "outside", "outside/secret.txt", "deep/../../secret.txt", "../none"],
)
@pytest.mark.parametrize("is_absolute", [False, True])
def test_a_path_outside_is_refused(program: Program, folder: Path, path: str, is_absolute: bool) -> None:
    named = str(folder / path) if is_absolute else path
    outside = f"{named}: is outside of the folders that may be used; they are: {folder}"

    assert program.refusal("search", query="apple", paths=[named]) == outside
    assert program.refusal("embed", path=named, output="new.npy") == outside
    assert not (folder / "new.npy").exists()


@pytest.mark.parametrize("output", ["../new.npy", "outside/new.npy", "/new.npy", "deep/../../new.json"])
def test_an_output_outside_is_refused(program: Program, folder: Path, output: str) -> None:
    assert "is outside of the folders that may be used" in program.refusal(
        "embed", texts=["a"], output=output
    )
    assert sorted(path.name for path in folder.parent.iterdir()) == ["named", "secret.txt"]


def test_a_link_in_the_place_of_an_output_is_not_followed(program: Program, folder: Path) -> None:
    for name in ("trap.npy", "half.npy.json"):
        (folder / name).symlink_to(f"../{name}")
    for output in ("trap.npy", "half.npy"):
        refused = program.refusal("embed", texts=["a"], output=output, overwrite=True)
        assert "is outside of the folders" in refused
    for name in ("trap.npy", "half.npy.json"):
        assert not (folder.parent / name).exists()
        (folder / name).unlink()


def test_a_link_beside_a_file_of_vectors_is_not_followed(program: Program, folder: Path) -> None:
    program.data("embed", texts=["an apple that nobody may see"], output="beside.npy")
    (folder / "beside.npy.json").rename(folder.parent / "names.json")
    (folder / "beside.npy.json").symlink_to("../names.json")

    refused = [
        program.refusal("search", query="apple", paths=["beside.npy"]),
        program.refusal("embed", path="beside.npy", output="again.npy"),
    ]
    for path in (folder / "beside.npy.json", folder / "beside.npy", folder.parent / "names.json"):
        path.unlink()

    assert all("beside.npy.json: is outside of the folders" in line for line in refused)


def test_a_pipe_keeps_nobody_waiting(program: Program, folder: Path) -> None:
    (folder / "pipes").mkdir()
    for name in ("in.txt", "out.json", ".gitignore"):
        os.mkfifo(folder / "pipes" / name)
    (folder / "pipes" / "a.txt").write_text("an apple\n", "utf-8")

    found = program.data("search", query="apple", paths=["pipes"])
    reading = program.refusal("search", query="apple", paths=["pipes/in.txt"])
    writing = program.refusal("embed", texts=["a"], output="pipes/out.json", overwrite=True)
    shutil.rmtree(folder / "pipes")

    assert found["searched"] == 1
    assert reading == "pipes/in.txt: is neither a file nor a folder"
    assert writing == "pipes/out.json: is neither a file nor a folder"


def test_a_changed_file_is_read_anew(program: Program, folder: Path) -> None:
    path = folder / "changing.txt"
    before = None
    for text in ("one dog", "two dog", "six cat"):  # Of one length, and written within a moment.
        path.write_text(f"{text}\n", "utf-8")
        for _ in range(2):
            found = program.data("search", query="dog", paths=["changing.txt"])
            assert [hit["text"] for hit in found["hits"]] == [text]
        os.utime(path, ns=before) if before else None
        before = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.unlink()

    assert program.refusal("search", query="dog", paths=["changing.txt"]) == (
        "changing.txt: there is no such file or folder"
    )


def test_a_new_file_of_a_folder_is_found(program: Program, folder: Path) -> None:
    before = program.data("search", query="banana", paths=["deep"])["searched"]
    (folder / "deep" / "new.txt").write_text("two bananas\n", "utf-8")
    after = program.data("search", query="banana", paths=["deep"])["searched"]
    (folder / "deep" / "new.txt").unlink()

    assert (before, after) == (1, 2)
    assert program.data("search", query="banana", paths=["deep"])["searched"] == 1


def test_answers_are_bounded(program: Program, folder: Path) -> None:
    (folder / "long.txt").write_text("".join(f"apple {n} {'x ' * 160}\n" for n in range(101)), "utf-8")
    result = program.call("search", query="apple", paths=["long.txt"], top_k=100)
    (folder / "long.txt").unlink()
    assert result.structured_content is not None
    hits = result.structured_content["hits"]

    assert len(hits) == 100
    assert {len(hit["text"]) for hit in hits} == {300}
    assert len(said(result)) < 40_000


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"query": "a", "top_k": 101}, "top_k is 101, and must be at most 100"),
        ({"query": "a", "top_k": True}, "top_k must be of the type integer"),
        ({"query": "a", "threshold": "0.5"}, "threshold must be of the type number"),
        ({"query": "a" * 3_000_000}, "the length of query is 3,000,000, and must be at most 20,000"),
        ({"query": "  "}, "text 0 is blank"),
        ({"query": "a", "paths": []}, "the length of paths is 0, and must be at least 1"),
        ({"query": "a", "paths": ["fruit.txt", 3]}, "paths[1] must be of the type string"),
        ({"query": "a", "paths": ["none.txt"]}, "none.txt: there is no such file or folder"),
        ({"query": "a", "paths": ["\0"]}, "\0: is no path: embedded null byte"),
        ({"paths": ["fruit.txt"]}, "query is missing"),
        (
            {"query": "a", "k": 3},
            "there is no argument 'k'; there are: query, paths, top_k, threshold",
        ),
    ],
)
def test_what_a_program_can_mend_is_an_answer(program: Program, arguments: dict[str, Any], line: str) -> None:
    assert program.refusal("search", **arguments) == line


def test_a_number_without_a_fraction_is_an_integer(program: Program) -> None:
    assert len(program.data("search", query="a", paths=["fruit.txt"], top_k=2.0)["hits"]) == 2
    assert program.refusal("search", query="a", top_k=2.5) == "top_k must be of the type integer"


def test_an_unknown_tool_is_an_error_of_the_protocol(program: Program) -> None:
    with pytest.raises(MCPError) as caught:
        program.call("shell", command="ls")

    assert (caught.value.code, caught.value.message) == (INVALID_PARAMS, "there is no tool 'shell'")


def test_two_texts_are_compared_and_several(program: Program) -> None:
    texts = ["Apple", "Orange", "the sea"]
    vectors = library.open("minilm").embed(texts)
    expected = vectors @ vectors.T

    np.testing.assert_allclose(program.data("compare", texts=texts)["matrix"], expected, atol=6e-5)
    assert program.data("compare", texts=texts[:2])["score"] == pytest.approx(float(expected[0, 1]), abs=6e-5)
    assert "at most 20" in program.refusal("compare", texts=["a"] * 21)


@pytest.mark.parametrize("output", ["vectors.npy", "vectors.parquet", "deep/vectors.lance"])
def test_vectors_go_into_a_file_that_is_searched(program: Program, folder: Path, output: str) -> None:
    result = program.call("embed", path="fruit.txt", output=output)
    assert result.structured_content is not None

    assert result.structured_content == {
        "path": output,
        "count": len(LINES),
        "dimensions": 384,
        "model": program.data("models")["used"],
    }
    assert len(said(result)) < 200
    found = program.data("search", query="fruit", paths=[output])
    texts = program.data("search", query="fruit", paths=["fruit.txt"])
    assert [hit["text"] for hit in found["hits"]] == [hit["text"] for hit in texts["hits"]]
    assert [hit["score"] for hit in found["hits"]] == [hit["score"] for hit in texts["hits"]]
    assert program.refusal("embed", texts=["a"], output=output).startswith(f"{output}: is there already; ")
    assert program.data("embed", texts=["a"], output=output, overwrite=True)["count"] == 1
    assert program.data("search", query="fruit", paths=[output])["searched"] == 1


def test_a_dataset_with_a_part_elsewhere_is_refused(program: Program, folder: Path) -> None:
    program.data("embed", path="fruit.txt", output="parts.lance")
    (part,) = (folder / "parts.lance" / "data").iterdir()
    part.rename(folder.parent / part.name)
    part.symlink_to(folder.parent / part.name)

    assert len(lance.dataset(str(folder / "parts.lance")).to_table()) == len(LINES)
    assert program.refusal("search", query="fruit", paths=["parts.lance"]) == (
        f"parts.lance/data/{part.name}: leads outside of the folders that may be used"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"output": "new.npy"}, "either path or texts says what to embed; pass one of them"),
        ({"output": "new.npy", "path": "deep"}, "path is a folder; name a file of texts"),
        (
            {"output": "new.txt", "texts": ["a"]},
            "output must end in one of .npy .parquet .arrow .lance .jsonl .json .csv .tsv",
        ),
        (
            {"output": "none/new.json", "texts": ["a"]},
            "none/new.json: its folder does not exist; name one that does",
        ),
        (
            {"output": "new.npy", "texts": ["a"], "kind": "poem"},
            "kind cannot be 'poem'; choose document, query, symmetric",
        ),
    ],
)
def test_embed_says_what_it_needs(
    program: Program, folder: Path, arguments: dict[str, Any], line: str
) -> None:
    assert program.refusal("embed", **arguments) == line
    assert not (folder / "new.npy").exists()


def test_vectors_of_another_model_are_refused_and_change_nothing(program: Program, folder: Path) -> None:
    model = program.data("embed", texts=["a"], output="other.npy")["model"]
    sidecar = folder / "other.npy.json"
    sidecar.write_text(sidecar.read_text("utf-8").replace(model, "bge-base@0123456789ab"), "utf-8")

    assert "bge-base" in program.refusal("search", query="fruit", paths=["other.npy"])
    assert (
        program.data("search", query="fruit", paths=["fruit.txt"], top_k=1)["hits"][0]["text"] == "an apple"
    )


def test_models_are_listed(program: Program) -> None:
    found = program.data("models")

    assert found["why"] == "pinned by a flag"
    assert {"name": "minilm", "state": "embedded, prepared"} in found["models"]


def test_a_call_can_be_cancelled_and_pings_are_answered_meanwhile(tmp_path: Path, shared_cache: Path) -> None:
    (tmp_path / "texts.txt").write_text("".join(f"text {n} of very many\n" for n in range(20_000)), "utf-8")
    (tmp_path / "few.txt").write_text("a text\n", "utf-8")

    async def cancelled(client: Client) -> bool:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "search", {"query": "a", "paths": ["texts.txt"]})
            with pytest.warns(MCPDeprecationWarning):  # The newest protocol has none.
                await client.send_ping()
            tasks.cancel_scope.cancel()
        return tasks.cancel_scope.cancelled_caught

    with asking(tmp_path, shared_cache, "--no-cache", mode="legacy") as program:
        assert program.portal.call(cancelled, program.client)
        assert program.data("search", query="a", paths=["few.txt"])["searched"] == 1


def test_several_folders_are_named_by_where_they_are(
    folder: Path, tmp_path: Path, shared_cache: Path
) -> None:
    (tmp_path / "other.txt").write_text("an apple elsewhere\n", "utf-8")
    with asking(tmp_path.parent, shared_cache, str(folder), tmp_path.name) as program:
        found = program.data("search", query="apple", paths=["fruit.txt", "other.txt"], top_k=2)
        everywhere = program.data("search", query="apple")
        within = [program.data("search", query="apple", paths=[str(one)]) for one in (folder, tmp_path)]

    assert everywhere["searched"] == sum(one["searched"] for one in within)
    assert {hit["path"] for hit in found["hits"]} == {str(folder / "fruit.txt"), str(tmp_path / "other.txt")}


def test_lines_that_are_no_protocol_break_nothing(tmp_path: Path, shared_cache: Path) -> None:
    first = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": first}
    # Half a character, as a program sends that has cut a text in the middle of it.
    half = {"jsonrpc": "2.0", "id": "\ud83d", "method": "ping"}
    server = ("mcp", "-m", "minilm", str(tmp_path))
    with started(*server, env={"SIMIL_CACHE_DIR": str(shared_cache)}) as child:
        child.write(f"garbage\n\n[]\n{json.dumps(begin)}\n{json.dumps(half)}\n".encode())
        answered = {}
        while len(answered) < 2 and (line := child.line()):
            answer = json.loads(line)
            if "result" in answer:
                answered[answer["id"]] = answer["result"]
        done = child.finish()

    assert done.code == 0
    assert answered[1]["serverInfo"]["name"] == "simil"
    assert answered["\N{REPLACEMENT CHARACTER}"] == {}
    assert "Traceback" not in done.err


def test_a_folder_that_is_not_there_is_an_error_of_usage(tmp_path: Path) -> None:
    result = simil("mcp", "none", cwd=tmp_path)

    assert (result.code, result.out) == (2, "")
    assert result.error_line == "none: is no folder; name folders that exist"


def test_a_program_that_reads_no_more_ends_the_server(tmp_path: Path, shared_cache: Path) -> None:
    server = subprocess.Popen(
        [*SIMIL, "mcp", "-m", "minilm"],
        cwd=tmp_path,
        env={**os.environ, "SIMIL_CACHE_DIR": str(shared_cache)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdin is not None and server.stdout is not None and server.stderr is not None
    server.stdout.close()
    server.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
    server.stdin.flush()

    assert server.wait(timeout=60) == 141  # With its standard input still open.
    assert server.stderr.read() == b""
    server.stdin.close()
    server.stderr.close()


def test_a_closed_standard_input_is_an_error_of_usage(tmp_path: Path) -> None:
    result = shell("simil mcp -m minilm <&-", cwd=tmp_path)

    assert (result.code, result.out) == (2, "")
    assert result.error_line == "standard input is closed; a program starts simil mcp with pipes"

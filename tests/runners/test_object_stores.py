"""Which store an address means, and with which key."""

from __future__ import annotations

import pytest
from pyarrow import fs

from simil.errors import UsageError
from simil.runners import object_stores


@pytest.fixture(autouse=True)
def new_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    object_stores._store.cache_clear()
    for name in ("NAME", "KEY"):
        monkeypatch.delenv(f"AZURE_STORAGE_ACCOUNT_{name}", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_SAS_TOKEN", raising=False)


@pytest.mark.parametrize("scheme", ["az", "abfs", "abfss"])
def test_azure(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "someone")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=1")

    assert object_stores._store(scheme, "bucket") == fs.AzureFileSystem("someone", account_key="c2VjcmV0")


def test_azure_without_an_account() -> None:
    with pytest.raises(UsageError, match="AZURE_STORAGE_ACCOUNT_NAME is not set"):
        object_stores.list_objects("az://bucket/texts/")

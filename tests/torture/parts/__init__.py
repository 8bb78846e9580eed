"""The parts: a module each, with a `PART`; `make torture` and the tests find them here."""

"""What the commands do, as data, and how `-h` and `--help` show it.

What is written by hand stands in `about_*.py`, a `CommandText` for each command; its options and arguments
are those that the command declares. `page_of` puts both together into a frozen `CommandPage`. From these
pages everything is rendered: `-h` and `--help` (`help_text.py`), the manual pages (`tools/man_pages.py`), and
the pages of the documentation (`tools/command_pages.py`)::

    from simil.cli.help.command_page import page_names, page_of

    for name in page_names():     # "" is simil itself, then "compare", ..., "models", "models list", ...
        page = page_of(name)
        page.title                # "simil models list"
        page.purpose              # one sentence
        page.usage                # lines such as "simil search [OPTIONS] QUERY [FILE]..."
        page.description          # paragraphs
        page.arguments            # entries, as those of options
        page.groups               # of options: a heading and entries, each with label, help and notes
        page.common               # the entries that -h shows
        page.examples             # each with a comment and a command
        page.exit_codes           # each with its meaning here
        page.variables            # environment variables that no option shows, each with its meaning
        page.subcommands          # the names of other pages, with their purposes, under headings
"""

"""``python -m mcastplan`` is the ``mcastplan`` command."""

from mcastplan.cli import main

if __name__ == "__main__":
    main()

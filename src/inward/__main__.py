"""`python -m inward`: the same as `inward`."""

from inward.cli.main import main

if __name__ == "__main__":
    main()

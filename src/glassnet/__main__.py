"""`python -m glassnet`: the command line, where the script is not on the path."""

from glassnet.cli.main import main

if __name__ == "__main__":
    main()

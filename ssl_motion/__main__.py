"""`python -m ssl_motion` is `ssl-bench`."""

from ssl_motion.cli import main

if __name__ == "__main__":
    main()

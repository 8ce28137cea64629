"""`python -m ssl_motion` is `ssl-bench`."""

from ssl_motion.cli import main

main()

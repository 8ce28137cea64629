"""A studio with a planted model, in a process of its own: studio_server.py FOLDER SESSION PORT [WEIGHTS].

Prints the URL when it listens.
"""

import runpy
import sys
from pathlib import Path

from ssl_motion.propagation.predictor import MotionPredictor
from ssl_motion.studio.server import serve
from ssl_motion.whole_models import load_whole_model


def main(folder: str, session: str, port: str, weights: str = "") -> None:
    if weights:
        predictor = MotionPredictor.of(load_whole_model(Path(weights)), "cpu")
    else:
        parts = runpy.run_path(str(Path(__file__).parent / "studio_session.py"))
        predictor = parts["planted"](parts["HEIGHT"])
    serve(predictor, "planted", Path(folder), Path(session), port=int(port), ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])

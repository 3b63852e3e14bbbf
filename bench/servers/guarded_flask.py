"""A view of Flask that `tallystick.flask` protects. For gunicorn, with ISSUER."""

import os

from flask import Flask
from flask.typing import ResponseReturnValue

from bench.services import AUDIENCE
from tallystick.flask import Tallystick

application = Flask(__name__)
auth = Tallystick(issuer=os.environ["ISSUER"], audience=AUDIENCE)
auth.init_app(application)


@application.get("/verified")
@auth.requires("notes:read")
def verified() -> ResponseReturnValue:
    return {"sub": auth.claims.sub}

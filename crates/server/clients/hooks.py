"""Requests that schemathesis makes ask for the model that is served, and for little of it."""

import schemathesis


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict):
        if isinstance(body.get("model"), str):
            body["model"] = "demo"
        for field in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if isinstance(body.get(field), int) and body[field] > 16:
                body[field] = 16
    return body

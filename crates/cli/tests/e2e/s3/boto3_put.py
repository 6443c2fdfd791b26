"""Does what a link says with botocore's HTTP client: boto3_put.py FILE, the link as JSON on standard input; prints the status."""

import json
import sys

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

link = json.load(sys.stdin)
with open(sys.argv[1], "rb") as file:
    body = file.read()
request = AWSRequest(link["method"], link["url"], headers=link["headers"], data=body)
print(URLLib3Session().send(request.prepare()).status_code)

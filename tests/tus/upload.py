"""Two uploads with tuspy: one with checksums in pieces, one that stops half way and is gone on with by a new client.

Prints the address of each. Arguments: server, token, conversation, file.
"""

import sys

from tusclient.client import TusClient

base, token, conversation, path = sys.argv[1:]
client = TusClient(f"{base}/v1/uploads", headers={"Authorization": f"Bearer {token}"})
metadata = {"conversation_id": conversation, "filename": "voice.webm"}

whole = client.uploader(path, chunk_size=3000, metadata=metadata, upload_checksum=True)
whole.upload()
print(whole.url)

half = client.uploader(path, chunk_size=2000, metadata=metadata)
half.upload(stop_at=4000)
again = client.uploader(path, chunk_size=2000, url=half.url)
assert again.offset >= 4000, again.offset
again.upload()
print(again.url)

"""S3 for tests: what Terraform and boto3 need to reach the server of tests/support/s3_server.py."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.support.s3_server import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGION = "eu-central-1"
BUCKET = "states-of-tests"
# What a test says to Terraform's s3 backend, and no user: the server is no AWS.
OFFLINE = {"skip_credentials_validation": "true", "skip_requesting_account_id": "true", "use_path_style": "true"}
QUICK = {"max_retries": "1"}
LOGIN = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True)
class S3:
    port: int

    @property
    def environment(self) -> dict[str, str]:
        return {**LOGIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    @property
    def client(self) -> Any:
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="test",
            aws_secret_access_key="test-secret",
            config=Config(s3={"addressing_style": "path"}),
        )

    def settings(self, key: str, bucket: str = BUCKET) -> dict[str, str]:
        kept = {"bucket": bucket, "key": key, "region": REGION, "use_lockfile": "true", "encrypt": "true"}
        return {**kept, **OFFLINE, **QUICK}

    def make_bucket(self, name: str = BUCKET, *, versions: bool = True) -> None:
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if versions:
            self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def objects(self, bucket: str = BUCKET) -> list[str]:
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def json(self, key: str, bucket: str = BUCKET) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())
        return found

    def put(self, key: str, document: Mapping[str, Any] | bytes, bucket: str = BUCKET) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def deny(self, method: str, end: str) -> None:
        self._tell(f"/front/deny?{urlencode({'method': method, 'end': end})}")

    def allow(self) -> None:
        self._tell("/front/allow")

    def reset(self) -> None:
        self.allow()
        self._tell("/moto-api/reset")

    def _tell(self, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path)
            connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def served() -> Iterator[S3]:
    program = [sys.executable, "-m", "tests.support.s3_server"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        try:
            yield S3(int(server.stdout.readline()))
        finally:
            assert server.stdin is not None
            server.stdin.close()


__all__ = ["ACCOUNT", "BUCKET", "REGION", "S3", "served"]

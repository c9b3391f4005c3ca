"""Records and reads deployments with two gRPC clients that know nothing of Slipway: `buf curl` and Python's grpcio.

Both learn services and messages by server reflection; no generated code is used.

    slipway-python smoke.py HOST:PORT TOKEN_FILE

Exits with 0 if every answer is the expected one, else with 1 and a line that names what was expected and what came.
"""

import json
import subprocess
import sys
from pathlib import Path

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

PROJECT = "default"
ENVIRONMENT = "staging"
LEDGER = "slipway.ledger.v1.LedgerService"
EXPECTED_SERVICES = {LEDGER, "grpc.health.v1.Health"}
DEADLINE_SECONDS = 10
# A time with microseconds: what comes back must be the same to the last digit.
DEPLOYED_TIME = "2024-02-29T12:34:56.789012Z"
WRONG_TOKEN = "not-a-token"


class Unexpected(Exception):
    """An answer that is not the expected one."""


def expect(what, expected, got):
    """Raises `Unexpected` unless `got` equals `expected`."""
    if got != expected:
        raise Unexpected(f"{what}: expected {expected!r}, got {got!r}")


def record_request(application):
    """A deployment of `application`, with whatever of the catalog is missing."""
    return {
        "project": PROJECT,
        "report": {
            "application": application,
            "version": "1.0.0",
            "environment": ENVIRONMENT,
            "deployedTime": DEPLOYED_TIME,
            "deployedBy": "Zoë",
            "riskLevel": "RISK_LEVEL_LOW",
            "attributes": {"commit": "8f14e45f"},
        },
        "createMissing": {"applications": True, "versions": True, "environments": True},
    }


def record_and_read(call, application):
    """Records a deployment, reports it again, reads it back three ways, and compares every value.

    `call(method, request)` calls a method of the ledger; request and answer are dictionaries in protobuf's JSON form.
    """
    request = record_request(application)
    answer = call("RecordDeployment", request)
    record = answer["record"]
    for field, value in request["report"].items():
        expect(f"RecordDeployment: record.{field}", value, record.get(field))
    expect("RecordDeployment: record.project", PROJECT, record.get("project"))
    expect("RecordDeployment: record.kind", "RECORD_KIND_DEPLOYED", record.get("kind"))
    expect("RecordDeployment: applicationCreated", True, answer.get("applicationCreated", False))
    expect("RecordDeployment: versionCreated", True, answer.get("versionCreated", False))

    again = call("RecordDeployment", request)
    expect("the same report again: alreadyPresent", True, again.get("alreadyPresent", False))
    expect("the same report again: record", record, again["record"])

    cell = {"project": PROJECT, "application": application, "environment": ENVIRONMENT}
    state = call("GetCurrentState", cell)["state"]
    expect("GetCurrentState: state.application", application, state.get("application"))
    expect("GetCurrentState: state.environment", ENVIRONMENT, state.get("environment"))
    expect("GetCurrentState: state.version", "1.0.0", state.get("version"))
    expect("GetCurrentState: state.recordId", record["recordId"], state.get("recordId"))
    expect("GetCurrentState: state.deployedTime", DEPLOYED_TIME, state.get("deployedTime"))

    before = call("GetCurrentState", {**cell, "asOfTime": "2024-02-29T12:34:56.789011Z"})
    expect("GetCurrentState, one microsecond before: state", None, before.get("state"))

    history = call("ListDeploymentRecords", {"project": PROJECT, "application": application})
    expect("ListDeploymentRecords: records", [record], history.get("records"))


def expect_services(listed):
    """Raises `Unexpected` where a service that must be there is not listed."""
    missing = EXPECTED_SERVICES - set(listed)
    expect("services that reflection does not list", set(), missing)


def run_buf(*arguments):
    """Runs `buf curl` against the server; returns the finished process."""
    command = ["buf", "curl", "--http2-prior-knowledge", "--protocol", "grpc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def smoke_buf_curl(address, token):
    """Lists services, records and reads a deployment, and is refused with a wrong token, all by `buf curl`."""
    listing = run_buf("--list-services", f"http://{address}")
    if listing.returncode != 0:
        raise Unexpected(f"buf curl --list-services: exit code {listing.returncode}: {listing.stderr.strip()}")
    expect_services(listing.stdout.split())

    def call_with(bearer, method, request):
        header = f"authorization: Bearer {bearer}"
        return run_buf("--header", header, "--data", json.dumps(request), f"http://{address}/{LEDGER}/{method}")

    def call(method, request):
        finished = call_with(token, method, request)
        if finished.returncode != 0:
            raise Unexpected(f"buf curl {method}: exit code {finished.returncode}: {finished.stderr.strip()}")
        return json.loads(finished.stdout)

    record_and_read(call, "smoke/buf")

    refused = call_with(WRONG_TOKEN, "GetCurrentState", {"project": PROJECT})
    # buf curl's exit code for an RPC error is eight times the gRPC code.
    expect("buf curl with a wrong token: exit code", 8 * grpc.StatusCode.UNAUTHENTICATED.value[0], refused.returncode)


def smoke_grpcio(address, token):
    """The same by Python's grpcio, and looks into the details of a refusal."""
    with grpc.insecure_channel(address) as channel:
        reflection = ProtoReflectionDescriptorDatabase(channel)
        expect_services(reflection.get_services())
        service = DescriptorPool(reflection).FindServiceByName(LEDGER)

        def call_with(bearer, method, request):
            descriptor = service.methods_by_name[method]
            answer_class = GetMessageClass(descriptor.output_type)
            stub = channel.unary_unary(
                f"/{service.full_name}/{descriptor.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer_class.FromString,
            )
            message = ParseDict(request, GetMessageClass(descriptor.input_type)())
            metadata = [("authorization", f"Bearer {bearer}")]
            return MessageToDict(stub(message, timeout=DEADLINE_SECONDS, metadata=metadata))

        def refusal(bearer, method, request):
            """The gRPC code and the `ErrorInfo` of a call that must be refused."""
            try:
                answer = call_with(bearer, method, request)
            except grpc.RpcError as error:
                trailers = dict(error.trailing_metadata() or ())
                status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
                for detail in status.details:
                    info = error_details_pb2.ErrorInfo()
                    if detail.Unpack(info):
                        return error.code(), info.domain, info.reason
                return error.code(), None, None
            raise Unexpected(f"{method} was to be refused, and answered {answer}")

        record_and_read(lambda method, request: call_with(token, method, request), "smoke/grpcio")

        cell = {"project": PROJECT, "application": "smoke/grpcio", "environment": ENVIRONMENT}
        expect(
            "GetCurrentState with a wrong token",
            (grpc.StatusCode.UNAUTHENTICATED, "slipway", "TOKEN_INVALID"),
            refusal(WRONG_TOKEN, "GetCurrentState", cell),
        )
        expect(
            "GetCurrentState of an unknown application",
            (grpc.StatusCode.NOT_FOUND, "slipway", "APPLICATION_NOT_FOUND"),
            refusal(token, "GetCurrentState", {**cell, "application": "absent"}),
        )


def main():
    """Runs both clients; returns the exit code."""
    address, token_file = sys.argv[1:]
    token = Path(token_file).read_text(encoding="utf-8").strip()
    for name, client in [("buf curl", smoke_buf_curl), ("Python grpcio", smoke_grpcio)]:
        try:
            client(address, token)
        except (Unexpected, KeyError, grpc.RpcError, subprocess.TimeoutExpired) as error:
            print(f"smoke: FAILED: {name}: {error!r}", file=sys.stderr)
            return 1
        print(f"smoke: {name} lists the services, records and reads a deployment, and is refused with a wrong token")
    return 0


if __name__ == "__main__":
    sys.exit(main())

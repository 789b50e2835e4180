"""Export jobs: gzipped JSON lines in S3 and in a folder, which an import takes back."""

import gzip
import json

import pytest

from pinion import wait_for_job

PEOPLE = [
    {
        "Id": "ann",
        "ChannelType": "EMAIL",
        "Address": "ann@example.com",
        "OptOut": "ALL",
        "EffectiveDate": "2025-05-06T07:08:09.000Z",
        "Attributes": {"plan": ["gold"], "likes": ["tea", "cake"]},
        "Metrics": {"age": 41.5},
        "Location": {"City": "Łódź", "Country": "PL"},
        "Demographic": {"Timezone": "Europe/Warsaw", "Locale": "pl"},
        "User": {"UserId": "u1", "UserAttributes": {"First Name": ["Żaneta 李"]}},
    },
    {"Id": "bob", "ChannelType": "EMAIL", "Address": "bob@example.com", "EndpointStatus": "INACTIVE"},
    {"Id": "eve", "ChannelType": "SMS", "Address": "+48555", "Attributes": {"plan": ["gold"]}, "User": {"UserId": "u1"}},
]


@pytest.fixture
def people(pinpoint, app):
    """An application with three endpoints."""
    pinpoint.update_endpoints_batch(ApplicationId=app, EndpointBatchRequest={"Item": PEOPLE})
    return app


@pytest.fixture
def bucket(s3, app):
    name = f"exports-{app}"
    s3.create_bucket(Bucket=name)
    return name


def export(pinpoint, app, **job):
    """The job when it is over."""
    request = {"RoleArn": "arn:aws:iam::1:role/export", **job}
    created = pinpoint.create_export_job(ApplicationId=app, ExportJobRequest=request)
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 202
    job = created["ExportJobResponse"]
    assert (job["Type"], job["JobStatus"], job["Definition"]) == ("EXPORT", "CREATED", request)
    return wait_for_job(lambda: pinpoint.get_export_job(ApplicationId=app, JobId=job["Id"])["ExportJobResponse"])


def endpoints(pinpoint, app):
    """What the API says of each, without what names the application and the request."""
    found = {}
    for person in PEOPLE:
        endpoint = pinpoint.get_endpoint(ApplicationId=app, EndpointId=person["Id"])["EndpointResponse"]
        del endpoint["ApplicationId"]
        found[person["Id"]] = endpoint
    return found


def test_an_application_is_exported_to_a_bucket_and_imported_into_another(pinpoint, people, bucket, s3):
    before = endpoints(pinpoint, people)
    assert before["ann"]["OptOut"] == "ALL" and before["bob"]["EndpointStatus"] == "INACTIVE"
    job = export(pinpoint, people, S3UrlPrefix=f"s3://{bucket}/people%20now/")
    assert job["JobStatus"] == "COMPLETED", job
    told = [job[member] for member in ["TotalPieces", "CompletedPieces", "FailedPieces", "TotalProcessed", "TotalFailures"]]
    assert told == [1, 1, 0, 3, 0]
    assert job["CompletionDate"] >= job["CreationDate"]

    # As the developer guide's example does it: only keys that end in .gz.
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="people now/")["Contents"]
    keys = [found["Key"] for found in listed if found["Key"].endswith(".gz")]
    assert len(keys) == len(listed) == 1
    packed = s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read()
    lines = {line["Id"]: line for line in map(json.loads, gzip.decompress(packed).splitlines())}
    for id_, line in lines.items():
        assert line.pop("ApplicationId") == people
        assert line == before[id_]
    assert lines["ann"]["User"] == PEOPLE[0]["User"]

    other = pinpoint.create_app(CreateApplicationRequest={"Name": "other"})["ApplicationResponse"]["Id"]
    request = {"S3Url": f"s3://{bucket}/people%20now/", "Format": "JSON", "RoleArn": "r", "DefineSegment": False}
    created = pinpoint.create_import_job(ApplicationId=other, ImportJobRequest=request)["ImportJobResponse"]
    imported = wait_for_job(
        lambda: pinpoint.get_import_job(ApplicationId=other, JobId=created["Id"])["ImportJobResponse"]
    )
    assert (imported["JobStatus"], imported["TotalProcessed"], imported["TotalFailures"]) == ("COMPLETED", 3, 0), imported
    # Cohort, dates, status, opt-out and the user's attributes too.
    assert endpoints(pinpoint, other) == before


def test_a_segment_is_exported_to_a_folder(server, pinpoint, people):
    gold = {"Attributes": {"plan": {"AttributeType": "INCLUSIVE", "Values": ["gold"]}}}
    request = {"Name": "gold", "Dimensions": gold}
    segment = pinpoint.create_segment(ApplicationId=people, WriteSegmentRequest=request)["SegmentResponse"]["Id"]
    folder = server.imports / people
    job = export(pinpoint, people, S3UrlPrefix=f"file://{folder}/gold", SegmentId=segment, SegmentVersion=1)
    assert (job["JobStatus"], job["TotalProcessed"]) == ("COMPLETED", 2), job
    (file,) = (folder / "gold").iterdir()
    with gzip.open(file, "rt") as lines:
        assert sorted(json.loads(line)["Id"] for line in lines) == ["ann", "eve"]

    jobs = pinpoint.get_export_jobs(ApplicationId=people)["ExportJobsResponse"]["Item"]
    assert [listed["Id"] for listed in jobs] == [job["Id"]]
    of_segment = pinpoint.get_segment_export_jobs(ApplicationId=people, SegmentId=segment)
    assert [listed["Id"] for listed in of_segment["ExportJobsResponse"]["Item"]] == [job["Id"]]


def test_what_cannot_be_written_fails_the_job_with_a_sentence(pinpoint, people):
    job = export(pinpoint, people, S3UrlPrefix="s3://no-such-bucket/x")
    assert (job["JobStatus"], job["FailedPieces"]) == ("FAILED", 1)
    assert "NoSuchBucket" in job["Failures"][0]


def test_nothing_outside_the_export_folder_can_be_written(server, pinpoint, people, tmp_path):
    (server.imports / f"link-{people}").symlink_to(tmp_path)
    outside = [f"file://{tmp_path}/x", f"file://{server.imports}/link-{people}/x", f"file://{server.imports}/../x"]
    for url in outside:
        with pytest.raises(pinpoint.exceptions.BadRequestException):
            export(pinpoint, people, S3UrlPrefix=url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "job",
    [{"S3UrlPrefix": "https://example.com/x"}, {"S3UrlPrefix": "s3://b/x", "SegmentId": "0" * 32}, {"S3UrlPrefix": "s3://b", "SegmentVersion": 1}],
)
def test_jobs_that_cannot_be_are_refused(pinpoint, app, job):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        export(pinpoint, app, **job)

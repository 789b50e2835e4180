"""Import jobs: CSV and JSON lines, from a folder and from S3."""

import gzip
import json

import pytest

from pinion import wait_for_job

CSV = '''\
ChannelType,Address,Id,Attributes.likes,Attributes.likes,User.UserId,User.UserAttributes.First Name,Metrics.age
EMAIL,ann@example.com,i1,tea,"cake, ""big""",u1,Żaneta 李,41.5
EMAIL,bob@example.com,i2,tea,,u2,Bob,
EMAIL,"unclosed@example.com,i3,,,u3,,
PIGEON,coo@example.com,i4,,,u4,,
EMAIL,few@example.com
EMAIL,eve@example.com,i6,,,u6,,many
,,,,,,Nobody,
'''


def run(pinpoint, app, **job):
    """The job when it is over."""
    request = {"RoleArn": "arn:aws:iam::1:role/import", "Format": "CSV", **job}
    created = pinpoint.create_import_job(ApplicationId=app, ImportJobRequest=request)
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    id_ = created["ImportJobResponse"]["Id"]
    return wait_for_job(lambda: pinpoint.get_import_job(ApplicationId=app, JobId=id_)["ImportJobResponse"])


def test_a_file_becomes_endpoints_and_a_segment_and_broken_lines_are_told(server, pinpoint, app):
    (server.imports / "people.csv").write_text(CSV)
    job = run(pinpoint, app, S3Url=f"file://{server.imports}/people.csv", SegmentName="imported")
    assert job["JobStatus"] == "COMPLETED"
    assert (job["TotalProcessed"], job["TotalFailures"], job["CompletedPieces"]) == (7, 5, 1)
    told = {int(failure.split(" line ")[1].split(":")[0]) for failure in job["Failures"]}
    assert told == {4, 5, 6, 7, 8}, job["Failures"]

    ann = pinpoint.get_endpoint(ApplicationId=app, EndpointId="i1")["EndpointResponse"]
    assert ann["Attributes"] == {"likes": ["tea", 'cake, "big"']}
    assert ann["User"] == {"UserId": "u1", "UserAttributes": {"First Name": ["Żaneta 李"]}}
    assert ann["Metrics"] == {"age": 41.5}

    segment_id = job["Definition"]["SegmentId"]
    segment = pinpoint.get_segment(ApplicationId=app, SegmentId=segment_id)["SegmentResponse"]
    assert (segment["Name"], segment["SegmentType"]) == ("imported", "IMPORT")
    assert segment["ImportDefinition"]["Size"] == 2
    assert segment["ImportDefinition"]["ChannelCounts"]["EMAIL"] >= 2

    jobs = pinpoint.get_import_jobs(ApplicationId=app)["ImportJobsResponse"]["Item"]
    assert [listed["Id"] for listed in jobs] == [job["Id"]]
    of_segment = pinpoint.get_segment_import_jobs(ApplicationId=app, SegmentId=segment_id)
    assert [listed["Id"] for listed in of_segment["ImportJobsResponse"]["Item"]] == [job["Id"]]


def test_the_same_file_twice_changes_nothing(server, pinpoint, app):
    (server.imports / "twice.csv").write_text("ChannelType,Address\nEMAIL,a@example.com\nEMAIL,b@example.com\n")
    sizes = []
    for _ in range(2):
        job = run(pinpoint, app, S3Url=f"file://{server.imports}/twice.csv", SegmentName="twice")
        segment = pinpoint.get_segment(ApplicationId=app, SegmentId=job["Definition"]["SegmentId"])
        sizes.append(segment["SegmentResponse"]["ImportDefinition"]["Size"])
    assert sizes == [2, 2]


def test_a_prefix_of_a_bucket_is_read_with_its_folders(pinpoint, app, s3):
    bucket = f"imports-{app}"
    s3.create_bucket(Bucket=bucket)
    lines = [{"Id": f"s{n}", "ChannelType": "EMAIL", "Address": f"s{n}@example.com"} for n in range(3)]
    packed = gzip.compress("".join(json.dumps(line) + "\n" for line in lines[:2]).encode())
    s3.put_object(Bucket=bucket, Key="export 1/part-0.json.gz", Body=packed)
    s3.put_object(Bucket=bucket, Key="export 1/deep/ż.json", Body=json.dumps(lines[2]).encode())
    s3.put_object(Bucket=bucket, Key="export 1/notes.txt", Body=b"not for import")

    job = run(pinpoint, app, S3Url=f"s3://{bucket}/export%201/", Format="JSON", DefineSegment=False)
    assert (job["JobStatus"], job["TotalProcessed"], job["TotalFailures"]) == ("COMPLETED", 3, 0), job
    assert (job["TotalPieces"], job["CompletedPieces"]) == (2, 2)
    assert "SegmentId" not in job["Definition"]
    assert pinpoint.get_endpoint(ApplicationId=app, EndpointId="s2")["EndpointResponse"]["Address"] == "s2@example.com"


def test_what_cannot_be_read_fails_the_job_with_a_sentence(server, pinpoint, app, s3_url):
    job = run(pinpoint, app, S3Url="s3://no-such-bucket/x.csv")
    assert job["JobStatus"] == "FAILED"
    assert "no-such-bucket" in job["Failures"][0]
    (server.imports / "odd.csv").write_text("ChannelType,Favourite\nEMAIL,x\n")
    job = run(pinpoint, app, S3Url=f"file://{server.imports}/odd.csv")
    assert job["JobStatus"] == "FAILED"
    assert "Favourite" in job["Failures"][0]


def test_nothing_outside_the_import_folder_can_be_read(server, pinpoint, app, tmp_path):
    (tmp_path / "secret.csv").write_text("ChannelType,Address\nEMAIL,x@example.com\n")
    (server.imports / "link.csv").symlink_to(tmp_path / "secret.csv")
    for url in [f"file://{tmp_path}/secret.csv", f"file://{server.imports}/link.csv", "file:///etc/passwd"]:
        try:
            job = run(pinpoint, app, S3Url=url)
        except pinpoint.exceptions.BadRequestException:
            continue
        assert (job["JobStatus"], job["TotalProcessed"]) == ("FAILED", 0)


@pytest.mark.parametrize(
    "job", [{"S3Url": "https://example.com/x.csv"}, {"S3Url": "s3://b/x", "Format": "XML"}, {"S3Url": "s3://b/x", "SegmentId": "0" * 32}]
)
def test_jobs_that_cannot_be_are_refused(pinpoint, app, job):
    with pytest.raises((pinpoint.exceptions.BadRequestException, pinpoint.exceptions.NotFoundException)):
        run(pinpoint, app, **job)

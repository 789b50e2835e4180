"""Recommender configurations, which belong to the account."""

import pytest

BOOKS = {
    "Name": "Bücher_日本-9",
    "RecommendationProviderRoleArn": "arn:aws:iam::123456789012:role/personalize",
    "RecommendationProviderUri": "arn:aws:personalize:eu-central-1:123456789012:campaign/books",
    "RecommendationsDisplayName": "Books",
}


def create(pinpoint, **changes):
    request = {**BOOKS, **changes}
    made = pinpoint.create_recommender_configuration(CreateRecommenderConfiguration=request)
    return made["RecommenderConfigurationResponse"]


def test_a_configuration_is_made_replaced_and_deleted(pinpoint):
    made = create(pinpoint)
    assert BOOKS.items() <= made.items()
    assert made["RecommendationProviderIdType"] == "PINPOINT_ENDPOINT_ID"
    assert made["RecommendationsPerMessage"] == 5
    which = {"RecommenderId": made["Id"]}
    assert pinpoint.get_recommender_configuration(**which)["RecommenderConfigurationResponse"] == made

    change = {
        "RecommendationProviderIdType": "PINPOINT_USER_ID",
        "RecommendationProviderRoleArn": BOOKS["RecommendationProviderRoleArn"],
        "RecommendationProviderUri": BOOKS["RecommendationProviderUri"],
        "RecommendationTransformerUri": "best-books",
        "Attributes": {"Title": "The title"},
        "RecommendationsPerMessage": 1,
    }
    changed = pinpoint.update_recommender_configuration(**which, UpdateRecommenderConfiguration=change)
    changed = changed["RecommenderConfigurationResponse"]
    assert change.items() <= changed.items()
    assert "Name" not in changed and changed["CreationDate"] == made["CreationDate"]

    deleted = pinpoint.delete_recommender_configuration(**which)["RecommenderConfigurationResponse"]
    assert deleted == changed
    for call in (pinpoint.get_recommender_configuration, pinpoint.delete_recommender_configuration):
        with pytest.raises(pinpoint.exceptions.NotFoundException):
            call(**which)


def test_all_pages_together_are_the_list(pinpoint):
    made = {create(pinpoint)["Id"] for _ in range(5)}
    found, token = [], {}
    while True:
        page = pinpoint.get_recommender_configurations(PageSize="2", **token)["ListRecommenderConfigurationsResponse"]
        assert len(page["Item"]) <= 2
        found += [item["Id"] for item in page["Item"]]
        if "NextToken" not in page:
            break
        token = {"Token": page["NextToken"]}
    assert made <= set(found) and len(found) == len(set(found))
    for one in made:
        pinpoint.delete_recommender_configuration(RecommenderId=one)


@pytest.mark.parametrize(
    "changes, member",
    [
        ({"RecommendationsPerMessage": 0}, "RecommendationsPerMessage"),
        ({"RecommendationProviderIdType": "EMAIL"}, "RecommendationProviderIdType"),
        ({"RecommendationProviderUri": "plugin:nobody"}, "RecommendationProviderUri"),
        ({"RecommendationProviderRoleArn": "role"}, "RecommendationProviderRoleArn"),
        ({"Name": "@ / + % * ~ : & = ;"}, "Name"),
        ({"Attributes": {"a": "b"}}, "Attributes"),
        ({"RecommendationTransformerUri": "f"}, "Attributes"),
    ],
)
def test_mistakes_name_their_member(pinpoint, changes, member):
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        create(pinpoint, **changes)
    assert caught.value.response["Error"]["Message"].startswith(f"{member}: ")

//! Applications with their settings and tags; jobs, recommenders, event streams, figures.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_pinpoint::Client;
use aws_sdk_pinpoint::types::{
    CampaignLimits, CreateApplicationRequest, CreateRecommenderConfigurationShape, ExportJobRequest, Format,
    ImportJobRequest, JobStatus, NumberValidateRequest, QuietTime, TagsModel,
    UpdateRecommenderConfigurationShape, WriteApplicationSettingsRequest, WriteEventStream,
};

use crate::{all_pages, new_app, payload, refused};

const ODD: &str = "@ / + % * ~ : & = ; ż 日本";
const ROLE: &str = "arn:aws:iam::123456789012:role/pinpoint";

pub async fn apps(client: &Client) -> Result<()> {
    let request = CreateApplicationRequest::builder()
        .name(ODD)
        .tags("season", "autumn")
        .build();
    let app = payload!(
        client.create_app().create_application_request(request),
        application_response
    );
    let (id, arn) = (app.id().context("id")?, app.arn().context("arn")?);
    ensure!(app.name() == Some(ODD));
    let read = payload!(client.get_app().application_id(id), application_response);
    ensure!(
        read.tags()
            .and_then(|tags| tags.get("season"))
            .map(String::as_str)
            == Some("autumn")
    );

    let settings = WriteApplicationSettingsRequest::builder()
        .limits(CampaignLimits::builder().daily(3).messages_per_second(50).build())
        .quiet_time(QuietTime::builder().start("22:00").end("06:00").build())
        .build();
    payload!(
        client
            .update_application_settings()
            .application_id(id)
            .write_application_settings_request(settings),
        application_settings_resource
    );
    let settings = payload!(
        client.get_application_settings().application_id(id),
        application_settings_resource
    );
    ensure!(settings.limits().and_then(CampaignLimits::daily) == Some(3));
    ensure!(settings.quiet_time().and_then(QuietTime::start) == Some("22:00"));

    let tags = TagsModel::builder().tags(ODD, ODD).build();
    client
        .tag_resource()
        .resource_arn(arn)
        .tags_model(tags)
        .send()
        .await
        .context("TagResource")?;
    client
        .untag_resource()
        .resource_arn(arn)
        .tag_keys("season")
        .tag_keys("never there")
        .send()
        .await
        .context("UntagResource")?;
    let tags = payload!(client.list_tags_for_resource().resource_arn(arn), tags_model);
    ensure!(tags.tags().context("tags")?.len() == 1);
    ensure!(tags.tags().context("tags")?[ODD] == ODD);

    let apps = all_pages!(client.get_apps(), applications_response, token);
    ensure!(apps.iter().filter(|listed| listed.id() == Some(id)).count() == 1);
    let deleted = payload!(client.delete_app().application_id(id), application_response);
    ensure!(deleted.id() == Some(id));
    refused!(client.get_app().application_id(id), is_not_found_exception);
    refused!(client.delete_app().application_id(id), is_not_found_exception);

    let number = NumberValidateRequest::builder()
        .phone_number("48 601 234 567")
        .iso_country_code("PL")
        .build();
    let number = payload!(
        client.phone_number_validate().number_validate_request(number),
        number_validate_response
    );
    ensure!(
        number.cleansed_phone_number_e164() == Some("+48601234567"),
        "{number:?}"
    );
    Ok(())
}

pub async fn jobs(client: &Client, folder: &str) -> Result<()> {
    let app = &new_app(client).await?;
    let file = format!("{folder}/rust-{app}.csv");
    std::fs::write(
        &file,
        "Id,ChannelType,Address\none,EMAIL,one@example.com\ntwo,EMAIL,two@example.com\n",
    )?;
    let request = ImportJobRequest::builder()
        .format(Format::Csv)
        .role_arn(ROLE)
        .s3_url(format!("file://{file}"))
        .define_segment(true)
        .segment_name("both")
        .build();
    let import = payload!(
        client
            .create_import_job()
            .application_id(app)
            .import_job_request(request),
        import_job_response
    );
    let id = import.id().context("id")?;
    let done = loop {
        let job = payload!(
            client.get_import_job().application_id(app).job_id(id),
            import_job_response
        );
        match job.job_status() {
            Some(JobStatus::Completed) => break job,
            Some(JobStatus::Failed) => anyhow::bail!("{job:?}"),
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    ensure!(done.completed_pieces() == done.total_pieces() && done.failed_pieces() == Some(0));
    let segment = done.definition().and_then(|definition| definition.segment_id());
    let segment = segment.context("the import defines a segment")?;
    let imports = all_pages!(
        client.get_import_jobs().application_id(app),
        import_jobs_response,
        token
    );
    ensure!(imports.len() == 1);
    let of_segment = client
        .get_segment_import_jobs()
        .application_id(app)
        .segment_id(segment);
    ensure!(payload!(of_segment, import_jobs_response).item().len() == 1);

    let request = ExportJobRequest::builder()
        .role_arn(ROLE)
        .s3_url_prefix(format!("file://{folder}/rust-{app}/"))
        .segment_id(segment)
        .build();
    let export = payload!(
        client
            .create_export_job()
            .application_id(app)
            .export_job_request(request),
        export_job_response
    );
    let id = export.id().context("id")?;
    loop {
        let job = payload!(
            client.get_export_job().application_id(app).job_id(id),
            export_job_response
        );
        match job.job_status() {
            Some(JobStatus::Completed) => break,
            Some(JobStatus::Failed) => anyhow::bail!("{job:?}"),
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
    let exports = all_pages!(
        client.get_export_jobs().application_id(app),
        export_jobs_response,
        token
    );
    ensure!(exports.len() == 1);
    let of_segment = client
        .get_segment_export_jobs()
        .application_id(app)
        .segment_id(segment);
    ensure!(payload!(of_segment, export_jobs_response).item().len() == 1);
    refused!(
        client.get_import_job().application_id(app).job_id("nobody"),
        is_not_found_exception
    );
    refused!(
        client.get_export_job().application_id(app).job_id("nobody"),
        is_not_found_exception
    );
    Ok(())
}

pub async fn recommenders(client: &Client) -> Result<()> {
    let request = CreateRecommenderConfigurationShape::builder()
        .name("books")
        .recommendation_provider_uri("plugin:best-content-by-locale")
        .recommendation_provider_role_arn(ROLE)
        .recommendations_display_name("Books")
        .build();
    let made = payload!(
        client
            .create_recommender_configuration()
            .create_recommender_configuration(request),
        recommender_configuration_response
    );
    let id = made.id().context("id")?;
    let request = UpdateRecommenderConfigurationShape::builder()
        .name("more books")
        .recommendation_provider_uri("plugin:best-content-by-locale")
        .recommendation_provider_role_arn(ROLE)
        .recommendations_display_name("Books")
        .build();
    payload!(
        client
            .update_recommender_configuration()
            .recommender_id(id)
            .update_recommender_configuration(request),
        recommender_configuration_response
    );
    let read = payload!(
        client.get_recommender_configuration().recommender_id(id),
        recommender_configuration_response
    );
    ensure!(read.name() == Some("more books"));
    let all = all_pages!(
        client.get_recommender_configurations(),
        list_recommender_configurations_response,
        token
    );
    ensure!(all.iter().any(|listed| listed.id() == Some(id)));
    payload!(
        client.delete_recommender_configuration().recommender_id(id),
        recommender_configuration_response
    );
    refused!(
        client.get_recommender_configuration().recommender_id(id),
        is_not_found_exception
    );
    Ok(())
}

pub async fn event_streams(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    refused!(
        client.get_event_stream().application_id(app),
        is_not_found_exception
    );
    let arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/events";
    let request = WriteEventStream::builder()
        .destination_stream_arn(arn)
        .role_arn(ROLE)
        .build();
    payload!(
        client
            .put_event_stream()
            .application_id(app)
            .write_event_stream(request),
        event_stream
    );
    let read = payload!(client.get_event_stream().application_id(app), event_stream);
    ensure!(read.destination_stream_arn() == Some(arn));
    payload!(client.delete_event_stream().application_id(app), event_stream);
    refused!(
        client.delete_event_stream().application_id(app),
        is_not_found_exception
    );
    Ok(())
}

pub async fn kpis(client: &Client) -> Result<()> {
    let app = &new_app(client).await?;
    let kpi = client
        .get_application_date_range_kpi()
        .application_id(app)
        .kpi_name("txn-emails-sent");
    let kpi = payload!(kpi, application_date_range_kpi_response);
    ensure!(kpi.kpi_name() == Some("txn-emails-sent"));
    ensure!(kpi.start_time().context("start")?.secs() < kpi.end_time().context("end")?.secs());
    ensure!(kpi.kpi_result().context("result")?.rows().is_empty());
    let unknown = client
        .get_application_date_range_kpi()
        .application_id(app)
        .kpi_name("nothing-like-that");
    refused!(unknown, is_not_found_exception);
    Ok(())
}

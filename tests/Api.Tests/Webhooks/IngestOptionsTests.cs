using Microsoft.Extensions.Options;
using WebhookService.Api.Webhooks;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class IngestOptionsTests
{
    [Theory]
    [InlineData("plant-7", "emqx", "base62", null)]
    [InlineData("My_Shop", "json", "plain", null)]
    [InlineData("bad name", "json", "plain", "a name is made of")]
    [InlineData("-x", "json", "plain", "a name is made of")]
    [InlineData("PublishHook", "emqx", "plain", "path of EMQX tutorials")]
    [InlineData("device", "json", "plain", "Ingest:Sources:device: 'device.…' are event types")]
    [InlineData("Message", "json", "plain", "Ingest:Sources:Message:")]
    [InlineData("session", "emqx", "plain", "Ingest:Sources:session:")]
    [InlineData("subscription", "json", "plain", "Ingest:Sources:subscription:")]
    [InlineData("delivery", "json", "plain", "Ingest:Sources:delivery:")]
    [InlineData("devices", "json", "plain", null)]
    [InlineData("x", "carrier-pigeon", "plain", "known are emqx, json")]
    [InlineData("x", "emqx", "rot13", "PayloadEncoding knows")]
    public void A_source_that_cannot_work_is_told_at_the_start(string name, string kind, string encoding, string? mistake)
    {
        var options = new IngestOptions { Sources = { [name] = new SourceOptions { Kind = kind, PayloadEncoding = encoding } } };

        var checkedOptions = new IngestOptionsCheck([new EmqxSource(), new JsonSource()]).Validate(null, options);

        Assert.Equal(mistake is null, checkedOptions.Succeeded);
        if (mistake is not null) Assert.Contains(mistake, checkedOptions.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_default_keeps_the_service_from_starting()
    {
        var mistake = await Assert.ThrowsAsync<OptionsValidationException>(() => ApiHost.StartAsync(new() { ["Ingest:DefaultSource"] = "nobody" }));

        Assert.Contains("Ingest:DefaultSource is 'nobody'", mistake.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_source_in_the_service_is_found()
    {
        var kinds = typeof(IWebhookSource).Assembly.GetTypes().Where(type => type.IsAssignableTo(typeof(IWebhookSource)) && !type.IsInterface);

        Assert.Equal([typeof(EmqxSource), typeof(JsonSource)], kinds.OrderBy(type => type.Name, StringComparer.Ordinal));
    }
}

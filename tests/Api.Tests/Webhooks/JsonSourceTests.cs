using Microsoft.AspNetCore.Http;
using WebhookService.Api.Webhooks;
using WebhookService.Application.Reports;
using WebhookService.Domain;
using static WebhookService.Api.Tests.Webhooks.Translate;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class JsonSourceTests
{
    private static readonly SourceOptions Options =
        new() { Kind = "json", Event = "type", DeliveryId = "header:X-Delivery", ClientId = "data.device.id", Time = "created" };

    [Fact]
    public void A_body_is_a_report_whose_parts_are_found_where_the_options_say()
    {
        const string body = """{"type":"order.paid","created":"2026-01-01T01:00:00+01:00","data":{"device":{"id":7}}}""";

        var report = ReportOf(body, Options, new HeaderDictionary { ["X-Delivery"] = "d-1" });

        Assert.Equal(
            ("shop.order.paid", new ClientId("7"), true, Ms(1_767_225_600_000), body),
            (report.Type, report.Client!.Value, report.IsDevice, report.At!.Value, report.Body));
        Assert.NotNull(report.Key);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[1,2]")]
    [InlineData("\"ping\"")]
    [InlineData("""{"type":{},"created":"soon","data":[]}""")]
    public void Without_its_parts_any_JSON_is_still_a_report(string body)
    {
        var report = ReportOf(body, Options);

        Assert.Equal(("shop.received", null, null, null, body), (report.Type, report.Client, report.At, report.Key, report.Body));
    }

    [Fact]
    public void A_delivery_is_known_again_by_its_id_whatever_else_changed()
    {
        var (first, again, other) = (Delivered("{\"a\":1}", "d-1"), Delivered("{\"a\":2}", "d-1"), Delivered("{\"a\":1}", "d-2"));

        Assert.Equal(first.Key, again.Key);
        Assert.NotEqual(first.Key, other.Key);

        static RecordReport Delivered(string body, string id) => ReportOf(body, Options, new HeaderDictionary { ["x-delivery"] = id });
    }

    [Theory]
    [InlineData("1767225600", 1_767_225_600_000)]
    [InlineData("1767225600123", 1_767_225_600_123)]
    [InlineData("\"1767225600.5\"", 1_767_225_600_500)]
    [InlineData("\"2026-01-01T00:00:00Z\"", 1_767_225_600_000)]
    public void Times_are_read_in_the_usual_spellings(string time, long ms)
    {
        Assert.Equal(Ms(ms), ReportOf($$"""{"created":{{time}}}""", Options).At);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("\"1970-01-01T00:00:00Z\"")]
    [InlineData("\"2200-01-01T00:00:00Z\"")]
    [InlineData("99999999999999999999")]
    public void Times_that_cannot_be_meant_are_left_out(string time)
    {
        Assert.Null(ReportOf($$"""{"created":{{time}}}""", Options).At);
    }

    [Fact]
    public void Names_become_such_as_the_journal_can_hold()
    {
        Assert.Equal("shop.a-b--c", ReportOf("""{"type":"a b\n\u00e9c"}""", Options).Type);
        Assert.Equal("shop.".Length + 100, ReportOf($$"""{"type":"{{new string('x', 5000)}}"}""", Options).Type.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("type=order")]
    public void What_is_no_JSON_is_refused(string body)
    {
        Assert.StartsWith("The body is ", Whole(PlainJson(body, Options)), StringComparison.Ordinal);
    }

    private static RecordReport ReportOf(string body, SourceOptions options, IHeaderDictionary? headers = null) =>
        Assert.IsType<RecordReport>(Assert.Single(Elements(PlainJson(body, options, headers))).Command);
}

using System.Text;
using System.Text.Json.Nodes;
using WebhookService.Application.Notices;
using WebhookService.Domain.Notices;
using WebhookService.Infrastructure.Notices;
using WebhookService.Infrastructure.Outbound;
using static WebhookService.Infrastructure.Tests.Notices.AMessage;

namespace WebhookService.Infrastructure.Tests.Notices;

/// <summary>What each receiver is posted, to the letter.</summary>
public sealed class PostFormatsTests
{
    private const string Line = "RAISED gone: pump-7 is offline: network. Since 2026-03-01 11:59:00 UTC.";

    [Fact]
    public async Task Standard_webhooks_get_the_notice_as_data()
    {
        await AssertPosted(PostFormat.Json, Of(Raised("pump-7")), """
            {"type":"notice.raised","timestamp":"2026-03-01T12:00:00.000Z","data":{"rule":"gone","kind":"offline","state":"raised","clientId":"pump-7","handler":null,"topic":null,
            "at":"2026-03-01T12:00:00.000Z","since":"2026-03-01T11:59:00.000Z","until":null,"why":"is offline: network","value":null}}
            """);
        await AssertPosted(PostFormat.Json, Of(2, 1, Cleared("pump-7")), """
            {"type":"notice.bundle","timestamp":"2026-03-01T12:00:00.000Z","data":{"notices":[{"rule":"gone","kind":"offline","state":"cleared","clientId":"pump-7","handler":null,"topic":null,
            "at":"2026-03-01T12:00:00.000Z","since":"2026-03-01T11:51:00.000Z","until":"2026-03-01T11:59:58.000Z","why":"is online again","value":null}],"moreRaised":2,"moreCleared":1}}
            """);
    }

    [Fact]
    public async Task Standard_webhooks_are_signed_over_id_time_and_body()
    {
        const string secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3A=";
        using var request = PostFormats.Request(To(PostFormat.Json, secret: secret), Of(Raised("pump-7")), Noon);

        var body = await request.Content!.ReadAsByteArrayAsync();
        Assert.Equal(("notice-4711", "1772366400"), (request.Headers.GetValues("webhook-id").Single(), request.Headers.GetValues("webhook-timestamp").Single()));
        var signed = System.Security.Cryptography.HMACSHA256.HashData("0123456789abcdefghijklmnop"u8, [.. "notice-4711.1772366400."u8, .. body]);
        Assert.Equal("v1," + Convert.ToBase64String(signed), request.Headers.GetValues("webhook-signature").Single());
    }

    [Theory]
    [InlineData("whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3A=", true)]
    [InlineData("MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3A=", false)]
    [InlineData("whsec_c2hvcnQ=", false)]
    [InlineData("whsec_not base64", false)]
    public void A_secret_of_standard_webhooks_is_24_to_64_bytes_in_base64(string secret, bool isOne) => Assert.Equal(isOne, StandardSignature.KeyOf(secret) is not null);

    [Fact]
    public Task Slack_gets_text() =>
        AssertPosted(PostFormat.Slack, Of(Raised("pump-7")), """{"text":"@line","mrkdwn":false,"unfurl_links":false,"unfurl_media":false}""");

    [Fact]
    public Task Teams_gets_a_card() => AssertPosted(PostFormat.Teams, Of(Raised("pump-7")), """
        {"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":{
        "$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.2","msteams":{"width":"Full"},
        "body":[{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"@line"}]}]}}]}
        """);

    [Fact]
    public Task Dingtalk_gets_text_that_calls_nobody() =>
        AssertPosted(PostFormat.Dingtalk, Of(Raised("pump-7")), """{"msgtype":"text","text":{"content":"@line"},"at":{"isAtAll":false}}""");

    [Fact]
    public Task Feishu_gets_rich_text() => AssertPosted(
        PostFormat.Feishu, Of(Raised("pump-7")), """{"msg_type":"post","content":{"post":{"en_us":{"content":[[{"tag":"text","text":"@line"}]]}}}}""");

    [Fact]
    public Task Wecom_gets_text() => AssertPosted(PostFormat.Wecom, Of(Raised("pump-7")), """{"msgtype":"text","text":{"content":"@line"}}""");

    [Fact]
    public async Task Dingtalk_takes_a_signature_behind_the_address_and_feishu_in_the_body()
    {
        using var dingtalk = PostFormats.Request(To(PostFormat.Dingtalk, secret: "SECsecret"), Of(Raised("pump-7")), Noon);
        using var feishu = PostFormats.Request(To(PostFormat.Feishu, secret: "SECsecret"), Of(Raised("pump-7")), Noon);

        Assert.Equal($"https://hooks.example.com/x?token=t0ken&timestamp=1772366400000&sign={DingtalkSign}", dingtalk.RequestUri!.AbsoluteUri);
        var body = JsonNode.Parse(await feishu.Content!.ReadAsStringAsync())!;
        Assert.Equal(("1772366400", FeishuSign), ((string?)body["timestamp"], (string?)body["sign"]));
    }

    [Fact]
    public async Task Several_notices_are_a_list_and_the_rest_is_counted()
    {
        var text = (string?)(await PostedAsync(PostFormat.Wecom, Of(4_211, 2, Raised("pump-7"), Cleared("pump-8"))))["text"]!["content"];

        Assert.Equal(
            $"""
            4212 notices raised, 3 cleared:
            {Line}
            CLEARED gone: pump-8 is online again. It lasted from 2026-03-01 11:51:00 to 2026-03-01 11:59:58 UTC.
            … and 4,213 more (4,211 raised, 2 cleared)
            """, text);
    }

    [Theory]
    [InlineData(PostFormat.Slack)]
    [InlineData(PostFormat.Teams)]
    [InlineData(PostFormat.Dingtalk)]
    [InlineData(PostFormat.Feishu)]
    [InlineData(PostFormat.Wecom)]
    public async Task A_client_id_can_neither_call_everybody_nor_break_a_line(PostFormat format)
    {
        const string id = "<!channel> <@U1> @all <at user_id=\"all\">x</at> [free](http://evil.example)\nRAISED gone: other\u202e";

        var body = (await PostedAsync(format, Of(Raised(id)))).ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

        Assert.Contains("\\\\u000aRAISED gone: other\\\\u202e", body, StringComparison.Ordinal);
        if (format is PostFormat.Slack) Assert.DoesNotContain("<", body, StringComparison.Ordinal);
        if (format is PostFormat.Wecom) Assert.DoesNotContain("<@", body, StringComparison.Ordinal);
        if (format is PostFormat.Feishu) Assert.DoesNotContain("<at", body, StringComparison.Ordinal);
        if (format is PostFormat.Teams) Assert.DoesNotContain("TextBlock\"", body.Replace("RichTextBlock\"", "", StringComparison.Ordinal), StringComparison.Ordinal);
        if (format is PostFormat.Teams) Assert.DoesNotContain("entities", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PostFormat.Slack, 12_000)]
    [InlineData(PostFormat.Teams, 28_000)]
    [InlineData(PostFormat.Dingtalk, 20_000)]
    [InlineData(PostFormat.Feishu, 20_000)]
    [InlineData(PostFormat.Wecom, 2_048)]
    public async Task A_robot_gets_no_more_than_it_takes_and_what_does_not_fit_is_counted(PostFormat format, int most)
    {
        var lines = Enumerable.Range(0, Outbox.Shown).Select(n => Raised($"{n}{string.Concat(Enumerable.Repeat("水", 400))}", string.Concat(Enumerable.Repeat("火", 400)))).ToArray();
        using var request = PostFormats.Request(To(format), Of(5, 0, lines), Noon);

        var body = await request.Content!.ReadAsByteArrayAsync();

        if (format is PostFormat.Wecom) body = Encoding.UTF8.GetBytes((string)JsonNode.Parse(body)!["text"]!["content"]!);
        Assert.InRange(body.Length, 1, most);
        var text = Encoding.UTF8.GetString(body);
        var shown = text.Split("RAISED").Length - 1;
        Assert.True(shown > 0);
        Assert.Contains($"… and {25 - shown} more raised", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_notice_that_is_too_long_is_cut_and_not_left_out()
    {
        var line = Raised(new string('x', 60_000), string.Concat(Enumerable.Repeat("火", 60_000)), string.Concat(Enumerable.Repeat("水", 60_000)));

        var text = (string)(await PostedAsync(PostFormat.Wecom, Of(line)))["text"]!["content"]!;

        Assert.InRange(Encoding.UTF8.GetByteCount(text), 1_000, 2_048);
        Assert.StartsWith("RAISED gone: xxx", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PostFormat.Json, "anything", null)]
    [InlineData(PostFormat.Slack, "ok", null)]
    [InlineData(PostFormat.Teams, "", null)]
    [InlineData(PostFormat.Teams, "1", null)]
    [InlineData(PostFormat.Teams, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429")]
    [InlineData(PostFormat.Dingtalk, """{"errcode":0,"errmsg":"ok"}""", null)]
    [InlineData(PostFormat.Dingtalk, """{"errcode":310000,"errmsg":"sign not match"}""", "errcode 310000: sign not match")]
    [InlineData(PostFormat.Wecom, """{"errcode":45009,"errmsg":"api freq out of limit"}""", "errcode 45009: api freq out of limit")]
    [InlineData(PostFormat.Feishu, """{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}""", null)]
    [InlineData(PostFormat.Feishu, """{"StatusCode":0,"StatusMessage":"success"}""", null)]
    [InlineData(PostFormat.Feishu, """{"code":19021,"msg":"sign match fail"}""", "code 19021: sign match fail")]
    [InlineData(PostFormat.Wecom, "<html>a proxy</html>", "its answer is no JSON: <html>a proxy</html>")]
    [InlineData(PostFormat.Dingtalk, "[]", "its answer has no 'errcode': []")]
    public void A_refusal_in_the_body_is_a_refusal(PostFormat format, string body, string? refusal) => Assert.Equal(refusal, PostFormats.Refusal(format, Encoding.UTF8.GetBytes(body)));

    private const string DingtalkSign = "urnYeTkGqgui0vh4GJT8vQguVKKhaz31gzdfJA0FKn0%3D";
    private const string FeishuSign = "Cim3eNPUjPiaVD0X4YvrfVustsIMOw+d9GYkSZxo5Q4=";

    private static async Task AssertPosted(PostFormat format, NoticeMessage message, string json)
    {
        using var request = PostFormats.Request(To(format), message, Noon);
        Assert.Equal(json.ReplaceLineEndings("").Replace("@line", Line, StringComparison.Ordinal), await request.Content!.ReadAsStringAsync());
        Assert.Equal("application/json; charset=utf-8", request.Content.Headers.ContentType!.ToString());
    }

    private static async Task<JsonNode> PostedAsync(PostFormat format, NoticeMessage message)
    {
        using var request = PostFormats.Request(To(format), message, Noon);
        return JsonNode.Parse(await request.Content!.ReadAsStringAsync())!;
    }
}

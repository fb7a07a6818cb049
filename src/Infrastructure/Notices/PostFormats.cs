using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using WebhookService.Application.Notices;
using WebhookService.Domain.Notices;
using WebhookService.Infrastructure.Outbound;
using WebhookService.Infrastructure.Journal;

namespace WebhookService.Infrastructure.Notices;

/// <summary>
/// What each kind of receiver is posted, and how it says no. Client ids are chosen by devices, so no format leaves them a way to call everybody or to
/// write links: each robot is given plain text in the form in which it does not look for its own marks.
/// </summary>
internal static class PostFormats
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // sent as application/json: fewer bytes, for robots take few
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower), new EventData.InstantConverter() },
    };

    /// <summary>The request for a message; the caller disposes it.</summary>
    public static HttpRequestMessage Request(NoticeTarget target, NoticeMessage message, DateTimeOffset now)
    {
        var (url, body) = target.Format switch
        {
            PostFormat.Json => (target.Url!, (object)Standard(message)),
            PostFormat.Slack => (target.Url!, Slack(message)),
            PostFormat.Teams => (target.Url!, Teams(message)),
            PostFormat.Dingtalk => (DingtalkUrl(target, now), Dingtalk(message)),
            PostFormat.Feishu => (target.Url!, Feishu(message, target.Secret, now)),
            PostFormat.Wecom => (target.Url!, Wecom(message)),
            _ => throw new ArgumentOutOfRangeException(nameof(target), target.Format, "Nobody knows this format."),
        };
        var bytes = JsonSerializer.SerializeToUtf8Bytes(body, Json);
        var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Content = new ByteArrayContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/json", "utf-8") } },
        };
        foreach (var (name, value) in target.Headers) request.Headers.TryAddWithoutValidation(name, value);
        if (target.Format is PostFormat.Json)
        {
            request.Headers.Add("webhook-id", message.Id);
            request.Headers.Add("webhook-timestamp", now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
            if (target.Secret is { } secret) request.Headers.Add("webhook-signature", StandardSignature.Of(StandardSignature.KeyOf(secret)!, message.Id, now, bytes));
        }
        return request;
    }

    /// <summary>Some receivers answer 200 and refuse in the body.</summary>
    /// <returns>What it says; null if it took the message.</returns>
    public static string? Refusal(PostFormat format, ReadOnlySpan<byte> body) => format switch
    {
        PostFormat.Dingtalk or PostFormat.Wecom => CodeIn(body, "errcode", "errmsg"),
        PostFormat.Feishu => CodeIn(body, "code", "msg", "StatusCode"), // older answers have StatusCode
        PostFormat.Teams when body.IndexOf("delivery failed"u8) >= 0 => Head(body), // connectors answer 200 also where Teams answered them 429
        _ => null,
    };

    /// <summary>The beginning of an answer, on one line.</summary>
    public static string Head(ReadOnlySpan<byte> body)
    {
        const int most = 200;
        var text = string.Concat(Encoding.UTF8.GetString(body[..Math.Min(body.Length, 4 * most)]).Select(character => char.IsControl(character) ? ' ' : character)).Trim();
        return text.Length > most ? text[..most] + "…" : text;
    }

    /// <summary>Standard Webhooks 1.0.0. One notice has the type of its event; several are `notice.bundle`.</summary>
    private static StandardBody Standard(NoticeMessage message) => message.Content is { MoreRaised: 0, MoreCleared: 0, Notices: [var only] }
        ? new(only.IsCleared ? "notice.cleared" : "notice.raised", only.At, NoticeBody.Of(only))
        : new("notice.bundle", message.Content.At, new BundleBody([.. message.Content.Notices.Select(NoticeBody.Of)], message.Content.MoreRaised, message.Content.MoreCleared));

    /// <summary>Of mrkdwn, three characters must be escaped (docs.slack.dev, formatting message text): with &lt; go mentions and links. The rest is switched off.</summary>
    private static JsonObject Slack(NoticeMessage message) => new()
    {
        ["text"] = NoticeText.Of(message, 12_000, line => line
            .Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)),
        ["mrkdwn"] = false,
        ["unfurl_links"] = false,
        ["unfurl_media"] = false,
    };

    /// <summary>What a workflow "when a Teams webhook request is received" takes. A TextRun knows no Markdown, and mentions only where an entity names them.</summary>
    private static JsonObject Teams(NoticeMessage message) => new()
    {
        ["type"] = "message",
        ["attachments"] = new JsonArray(new JsonObject
        {
            ["contentType"] = "application/vnd.microsoft.card.adaptive",
            ["contentUrl"] = null,
            ["content"] = new JsonObject
            {
                ["$schema"] = "http://adaptivecards.io/schemas/adaptive-card.json",
                ["type"] = "AdaptiveCard",
                ["version"] = "1.2",
                ["msteams"] = new JsonObject { ["width"] = "Full" },
                ["body"] = new JsonArray([.. NoticeText.Of(message, 16_000, line => line).Split('\n').Select(line => (JsonNode)new JsonObject
                {
                    ["type"] = "RichTextBlock",
                    ["inlines"] = new JsonArray(new JsonObject { ["type"] = "TextRun", ["text"] = line }),
                })]),
            },
        }),
    };

    /// <summary>Text; who is called stands in `at`, so nobody is.</summary>
    private static JsonObject Dingtalk(NoticeMessage message) => new()
    {
        ["msgtype"] = "text",
        ["text"] = new JsonObject { ["content"] = NoticeText.Of(message, 16_000, line => line) },
        ["at"] = new JsonObject { ["isAtAll"] = false },
    };

    /// <summary>With a secret, DingTalk takes a signature of the time in milliseconds behind its address.</summary>
    private static Uri DingtalkUrl(NoticeTarget target, DateTimeOffset now)
    {
        if (target.Secret is not { } secret) return target.Url!;
        var time = now.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        var sign = Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{time}\n{secret}")));
        return new($"{target.Url!.AbsoluteUri}{(target.Url.Query.Length == 0 ? '?' : '&')}timestamp={time}&sign={Uri.EscapeDataString(sign)}");
    }

    /// <summary>
    /// Rich text, whose text elements are text; in the plain kind `&lt;at user_id="all"&gt;` would call everybody, so that it is broken besides. With a secret
    /// the time in seconds and the secret are the key to sign nothing with.
    /// </summary>
    private static JsonObject Feishu(NoticeMessage message, string? secret, DateTimeOffset now)
    {
        var lines = NoticeText.Of(message, 14_000, line => line.Replace("<at", "<\u200bat", StringComparison.OrdinalIgnoreCase)).Split('\n');
        var body = new JsonObject();
        if (secret is not null)
        {
            var time = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            body["timestamp"] = time;
            body["sign"] = Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes($"{time}\n{secret}"), Array.Empty<byte>()));
        }
        body["msg_type"] = "post";
        body["content"] = new JsonObject
        {
            ["post"] = new JsonObject
            {
                ["en_us"] = new JsonObject
                {
                    ["content"] = new JsonArray([.. lines.Select(line => (JsonNode)new JsonArray(new JsonObject { ["tag"] = "text", ["text"] = line }))]),
                },
            },
        };
        return body;
    }

    /// <summary>Text of 2,048 bytes at the most, in which `&lt;@userid&gt;` would call somebody.</summary>
    private static JsonObject Wecom(NoticeMessage message) => new()
    {
        ["msgtype"] = "text",
        ["text"] = new JsonObject { ["content"] = NoticeText.Of(message, 2_048, line => line.Replace("<@", "<\u200b@", StringComparison.Ordinal)) },
    };

    private static string? CodeIn(ReadOnlySpan<byte> body, string code, string text, string? otherCode = null)
    {
        try
        {
            var answer = JsonNode.Parse(body) as JsonObject;
            if ((answer?[code] ?? (otherCode is null ? null : answer?[otherCode])) is not JsonValue number || !number.TryGetValue<long>(out var value))
                return $"its answer has no '{code}': {Head(body)}";
            return value == 0 ? null : $"{code} {value}: {answer![text]}";
        }
        catch (JsonException)
        {
            return $"its answer is no JSON: {Head(body)}";
        }
    }

    private sealed record StandardBody(string Type, DateTimeOffset Timestamp, object Data);

    private sealed record BundleBody(IReadOnlyList<NoticeBody> Notices, long MoreRaised, long MoreCleared);

    private sealed record NoticeBody(
        string Rule, NoticeKind Kind, string State, string? ClientId, string? Handler, string? Topic, DateTimeOffset At, DateTimeOffset Since, DateTimeOffset? Until,
        string Why, double? Value)
    {
        public static NoticeBody Of(NoticeLine line)
        {
            var isOurs = line.Kind is NoticeKind.DeadLetter;
            return new(
                line.Rule, line.Kind, line.IsCleared ? "cleared" : "raised", isOurs ? null : line.Subject, isOurs ? line.Subject : null, line.Topic, line.At, line.Since,
                line.Until, line.Why, line.Value);
        }
    }
}

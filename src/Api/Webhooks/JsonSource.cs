using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookService.Application.Reports;
using WebhookService.Domain;
using WebhookService.Domain.Reports;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// Any system that posts JSON and authenticates by token or JWT. Each body is one report <c>‹source›.‹event›</c> in the journal; where its
/// event, delivery id, client and time are is configured (<see cref="SourceOptions"/>).
/// </summary>
internal sealed class JsonSource : IWebhookSource
{
    private const int LongestEvent = 100;
    private const string InHeader = "header:";

    public string Kind => "json";

    public Translation Translate(Webhook webhook)
    {
        if (RawJson.Check(webhook.Body.Span) is { } mistake) return new Translation.Malformed(mistake);

        var json = RawJson.WithoutMark(webhook.Body);
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = RawJson.MaxDepth });
            var (options, body) = (webhook.Options, document.RootElement);
            var client = ClientOf(Find(webhook, body, options.ClientId));
            var report = new RecordReport(
                $"{webhook.Source}.{EventOf(Find(webhook, body, options.Event))}", KeyOf(webhook.Source, Find(webhook, body, options.DeliveryId)), client,
                IsDevice: client is not null, TimeOf(Find(webhook, body, options.Time)), Encoding.UTF8.GetString(json.Span), webhook.ReceivedAt);
            return new Translation.Understood([new(json, report)]);
        }
        catch (JsonException fault)
        {
            return new Translation.Malformed(new(RawJson.Describe(fault)));
        }
    }

    private static string? Find(Webhook webhook, JsonElement body, string? where)
    {
        if (string.IsNullOrEmpty(where)) return null;
        if (where.StartsWith(InHeader, StringComparison.OrdinalIgnoreCase))
            return webhook.Headers[where[InHeader.Length..]].FirstOrDefault() is { Length: > 0 } header ? header : null;

        foreach (var name in where.Split('.'))
            if (body.ValueKind is not JsonValueKind.Object || !body.TryGetProperty(name, out body)) return null;
        return body.ValueKind switch
        {
            JsonValueKind.String => TextOf(body),
            JsonValueKind.Number => body.GetRawText(),
            _ => null,
        };
    }

    private static string? TextOf(JsonElement text)
    {
        var raw = Encoding.UTF8.GetBytes(text.GetRawText());
        return RawJson.Text(raw.AsSpan(1..^1), escaped: true, out _) is { Length: > 0 } found ? found : null;
    }

    /// <summary>A name as the journal keeps it. What a name can't hold becomes '-': one sender's odd words stay apart and stay few.</summary>
    private static string EventOf(string? name) => name is null
        ? "received"
        : string.Concat(name.Take(LongestEvent).Select(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '/' or ':' ? letter : '-'));

    /// <summary>Repeats exactly when source and delivery id do; the time stays out, since senders date each attempt anew.</summary>
    private static ReportKey? KeyOf(string source, string? deliveryId) => deliveryId is null
        ? null
        : new ReportKey(BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{source}\0{deliveryId}"))));

    private static ClientId? ClientOf(string? id)
    {
        try
        {
            return id is null ? null : new ClientId(id);
        }
        catch (DomainException)
        {
            return null;
        }
    }

    /// <summary>RFC 3339, or Unix seconds or milliseconds, which their size tells apart; null where it is neither or no time of this century.</summary>
    private static DateTimeOffset? TimeOf(string? text)
    {
        if (decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
        {
            var ms = number < 100_000_000_000m ? number * 1000 : number;
            return ms is >= 946_684_800_000 and < 4_102_444_800_000 ? DateTimeOffset.FromUnixTimeMilliseconds((long)ms) : null;
        }
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            && time.Year is >= 2000 and < 2100 ? time : null;
    }
}

using System.Text.Json;
using WebhookService.Domain;

namespace WebhookService.Api.Webhooks;

/// <summary>EMQX 3.x to 6.x: rule actions, the 4.x plugin, NanoMQ; one event a body, or an array of them.</summary>
internal sealed class EmqxSource : IWebhookSource
{
    private static readonly Mistake NoObject = new("An element of the array is no JSON object.");

    public string Kind => WebhookSources.Emqx;

    public Translation Translate(Webhook webhook)
    {
        if (RawJson.Check(webhook.Body.Span) is { } mistake) return new Translation.Malformed(mistake);

        var json = RawJson.WithoutMark(webhook.Body);
        try
        {
            return FirstOf(json.Span) switch
            {
                (byte)'{' => new Translation.Understood([Translate(webhook, json)]),
                (byte)'[' => new Translation.Understood(ElementsOf(json.Span).Select(at => Translate(webhook, json[at]))),
                _ => new Translation.Malformed(NotAnEvent(json.Span)),
            };
        }
        catch (JsonException fault)
        {
            return new Translation.Malformed(new(RawJson.Describe(fault)));
        }
    }

    private static Element Translate(Webhook webhook, ReadOnlyMemory<byte> json)
    {
        if (FirstOf(json.Span) is not (byte)'{') return new(json, null, NoObject);
        using var fields = EmqxFields.Read(json);
        var told = new EmqxEvent(webhook, fields);
        try
        {
            return new(json, told.ToCommand(), Event: told.DocumentedName);
        }
        catch (DomainException mistake)
        {
            return new(json, null, new(mistake.Message, mistake.Parameter));
        }
    }

    private static byte FirstOf(ReadOnlySpan<byte> json) => json.TrimStart(" \t\r\n"u8) is [var first, ..] ? first : (byte)0;

    /// <summary>Reads the whole array, so that a broken one is refused before anything of it is done.</summary>
    private static List<Range> ElementsOf(ReadOnlySpan<byte> json)
    {
        var elements = new List<Range>();
        var reader = RawJson.Reader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            elements.Add(start..(int)reader.BytesConsumed);
        }
        reader.Read(); // what follows the array is an error
        return elements;
    }

    private static Mistake NotAnEvent(ReadOnlySpan<byte> json)
    {
        var reader = RawJson.Reader(json);
        while (reader.Read()) reader.Skip();
        return new("The body is JSON, but neither an object nor an array of objects, as EMQX sends them.");
    }
}

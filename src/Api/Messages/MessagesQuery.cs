using System.ComponentModel.DataAnnotations;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Api.Messages;

/// <summary>The filters of the messages of one device.</summary>
public class DeviceMessagesQuery : ListQuery
{
    /// <summary>An MQTT topic filter: `site/7/alarm`, `site/+/alarm`, `site/#`. Write + as %2B and # as %23.</summary>
    [DisplayFormat(ConvertEmptyStringToNull = false)] // or a lone + would be no filter at all
    public string? Topic { get; init; }

    /// <summary>`0`, `1`, `2`, or several of them with commas between.</summary>
    public string? Qos { get; init; }

    /// <summary>How far it got: `published`, `dropped`, `delivered`, `acked`, or several of them with commas between.</summary>
    public string? Status { get; init; }

    /// <summary>Only those published at this time or later.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Only those published before this time.</summary>
    public DateTimeOffset? To { get; init; }

    internal ListMessages ToQuery(ClientId? client) => new(default(PageRequest))
    {
        Client = client,
        Topic = ReadTopic(),
        Qos = ReadQos(),
        Status = WordList.Read<MessageStatus>(Status, "status"),
        From = From,
        To = To,
    };

    // A level that is one space is hardly ever meant: it is what a query makes of a plain +, and would find nothing.
    private TopicFilter? ReadTopic() => string.IsNullOrEmpty(Topic) ? null
        : Topic.Split('/').Contains(" ") ? throw ApiException.BadRequest(
            "invalid-value", $"A level of the topic '{Topic}' is a single space, which is what a query makes of +.", "topic", "Write + as %2B and # as %23.")
        : TopicFilter.Parse(Topic);

    private IReadOnlyList<int> ReadQos() => Qos is null ? [] : [.. Qos.Split(',', StringSplitOptions.TrimEntries).Select(word => word switch
    {
        "0" => 0,
        "1" => 1,
        "2" => 2,
        _ => throw ApiException.BadRequest("invalid-value", $"'{word}' is no QoS.", "qos", "It takes 0, 1, 2, or several of them with commas between."),
    }).Distinct()];
}

/// <summary>The filters of the messages of all clients.</summary>
public sealed class MessagesQuery : DeviceMessagesQuery
{
    /// <summary>The client id that the message was published under.</summary>
    public string? ClientId { get; init; }

    internal ListMessages ToQuery() => ToQuery(ClientId is null ? null : new ClientId(ClientId));
}

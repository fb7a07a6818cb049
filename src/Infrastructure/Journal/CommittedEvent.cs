using System.Runtime.InteropServices;
using WebhookService.Application.Consumers;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Journal;

/// <summary>An event that the writer has just written to the journal. Its entry is what the database would say, with the payload.</summary>
/// <param name="data">What its row says beyond the columns.</param>
/// <param name="message">The message it is about, if any.</param>
internal sealed class CommittedEvent(long seq, IDomainEvent happened, string? data, MessageContent? message)
{
    private JournalEntry? entry;

    public long Seq => seq;
    public string Type => EventData.NameOf(happened);

    /// <summary>Of payload and texts, where each could be its own.</summary>
    public long Bytes { get; } = ((data?.Length ?? 0) * (long)sizeof(char)) + (message is null ? 0 : BytesOf(message));

    /// <summary>Made by who first asks for it, which is not the writer. Two who ask at once may get one each.</summary>
    public JournalEntry Entry => entry ??= ToEntry();

    private static long BytesOf(MessageContent message)
    {
        var ofArray = MemoryMarshal.TryGetArray(message.Payload.Bytes, out var payload) ? payload.Array!.Length : 0; // of which it may be a part
        return ofArray + ((long)sizeof(char) * (message.Topic.Length + (message.Username?.Length ?? 0) + (message.Properties?.Length ?? 0)));
    }

    private JournalEntry ToEntry()
    {
        var (type, at) = (Type, happened.At.ToMs().ToTime());
        var (same, unreadable) = data is null && at.EqualsExact(happened.At)
            ? (happened, null) // all it says is in columns, and none of them rounds it
            : EventData.ReadOrRaw(type, at, happened.Client, message?.Id, data);
        return new JournalEntry
        {
            Seq = seq,
            Type = type,
            At = at,
            Client = happened.Client,
            Happened = same,
            Unreadable = unreadable,
            Message = message is null
                ? null
                : new(message.Id.ToString(), message.Publisher, message.Topic, message.Qos, message.Retain, message.PublishedAt.ToMs().ToTime(), message.Payload.Bytes),
        };
    }
}

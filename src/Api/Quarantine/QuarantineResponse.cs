using System.Text.Unicode;
using AutoMapper;
using WebhookService.Application.Quarantine;

namespace WebhookService.Api.Quarantine;

/// <summary>A refused body without its bytes.</summary>
internal class QuarantineItem
{
    public string Id { get; init; } = "";
    public DateTimeOffset ReceivedAt { get; init; }
    public string Source { get; init; } = "";

    /// <summary>Why, as a stable word; the code of the problem that the sender got.</summary>
    public string Code { get; init; } = "";

    /// <summary>Why, as a sentence; that of the last try.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The field at fault.</summary>
    public string? Parameter { get; init; }
    public string? ContentType { get; init; }

    /// <summary>How many bytes were kept.</summary>
    public long Bytes { get; init; }

    /// <summary>True when there were more.</summary>
    public bool Truncated { get; init; }

    /// <summary>How often it was tried again in vain.</summary>
    public int Attempts { get; init; }
    public DateTimeOffset? LastAttemptAt { get; init; }
}

/// <summary>A refused body with its bytes.</summary>
internal sealed class QuarantineDetail : QuarantineItem
{
    public required QuarantineBytes Body { get; set; }
}

/// <summary>Bytes in JSON: as text where they are UTF-8, else as base64.</summary>
internal sealed record QuarantineBytes(string Encoding, string Data)
{
    public static QuarantineBytes Of(byte[] bytes) => Utf8.IsValid(bytes)
        ? new("utf8", System.Text.Encoding.UTF8.GetString(bytes))
        : new("base64", Convert.ToBase64String(bytes));
}

internal sealed class QuarantineMaps : Profile
{
    public QuarantineMaps()
    {
        CreateMap<QuarantinedView, QuarantineItem>();
        CreateMap<QuarantinedView, QuarantineDetail>().ForMember(detail => detail.Body, map => map.Ignore());
    }
}

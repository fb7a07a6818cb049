using System.ComponentModel.DataAnnotations;
using WebhookService.Api.Lists;

namespace WebhookService.Api.Messages;

/// <summary>How the latest state of a device is wanted.</summary>
public sealed class StateQuery
{
    /// <summary>One document of all payloads that are JSON objects.</summary>
    public bool Merged { get; init; }

    /// <summary>Topics on a page, 1 to 1000; 1000 if not given.</summary>
    [Range(1, ListQuery.MaxLimit, ErrorMessage = "'limit' is 1 to 1000.")]
    public int Limit { get; init; } = ListQuery.MaxLimit;

    /// <summary>Where to go on: `next` of the page before.</summary>
    public string? Cursor { get; init; }
}

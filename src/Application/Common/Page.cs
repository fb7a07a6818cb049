namespace WebhookService.Application.Common;

/// <summary>One page of a list. <paramref name="Next"/> is the cursor of the following one; null on the last.</summary>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next)
{
    /// <summary>The exact number of all rows, where it was asked for.</summary>
    public long? Count { get; init; }

    public Page<TOther> Select<TOther>(Func<T, TOther> change) => new([.. Items.Select(change)], Next) { Count = Count };
}

/// <summary>Which page: at most <paramref name="Limit"/> rows after <paramref name="Cursor"/> (from <see cref="Page{T}.Next"/>; null for the first).</summary>
public readonly record struct PageRequest(int Limit, string? Cursor);

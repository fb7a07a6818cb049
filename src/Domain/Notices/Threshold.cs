namespace WebhookService.Domain.Notices;

public enum Judgement
{
    Normal,

    /// <summary>Neither beyond the limit nor back: what was said stays said.</summary>
    Between,
    Beyond,
}

/// <summary>A limit, and how far a value has to come back for all to be well again: between the two nothing changes, so that a value at the limit does not flutter.</summary>
public sealed record Threshold
{
    /// <exception cref="DomainException">A number is none, or it would be well again beyond the limit.</exception>
    public Threshold(double limit, bool isAbove, double clearAt)
    {
        if (!double.IsFinite(limit)) throw new DomainException("the limit is no finite number");
        if (!double.IsFinite(clearAt)) throw new DomainException("ClearAt is no finite number");
        if (isAbove ? clearAt > limit : clearAt < limit)
            throw new DomainException($"ClearAt is {clearAt:R}, {(isAbove ? "above" : "below")} the limit {limit:R}: it would be cleared before it is raised. Give one {(isAbove ? "at or below" : "at or above")} the limit");
        (Limit, IsAbove, ClearAt) = (limit, isAbove, clearAt);
    }

    public double Limit { get; }

    /// <summary>Whether values above the limit are beyond it, or those below.</summary>
    public bool IsAbove { get; }

    public double ClearAt { get; }

    public Judgement Judge(double value) =>
        (IsAbove ? value > Limit : value < Limit) ? Judgement.Beyond
        : (IsAbove ? value <= ClearAt : value >= ClearAt) ? Judgement.Normal
        : Judgement.Between;
}

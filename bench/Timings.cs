namespace WebhookService.Bench;

/// <summary>Durations of one thing done many times, in milliseconds.</summary>
internal sealed class Timings
{
    private readonly double[] sorted;

    public Timings(IReadOnlyCollection<double> milliseconds)
    {
        sorted = [.. milliseconds.Order()];
        First = milliseconds.FirstOrDefault(double.NaN);
    }

    public double First { get; }
    public int Count => sorted.Length;
    public double P50 => At(0.50);
    public double P95 => At(0.95);
    public double P99 => At(0.99);
    public double P999 => At(0.999);
    public double Max => At(1);

    /// <summary>The value that this share of all stays at or below (nearest rank).</summary>
    private double At(double share) => sorted.Length == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
}

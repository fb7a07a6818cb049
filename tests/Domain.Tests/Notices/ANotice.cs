using WebhookService.Domain.Notices;

namespace WebhookService.Domain.Tests.Notices;

/// <summary>A notice with its clock; times are seconds.</summary>
internal sealed class ANotice(NoticeKind kind = NoticeKind.Offline, int hold = 0)
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private long seq;

    public Notice Notice { get; } = new(new NoticeKey("rule", kind, "pump-7"));
    public int Now { get; set; }
    public Threshold Threshold { get; init; } = new(80, isAbove: true, clearAt: 70);

    public static DateTimeOffset At(int second) => Noon.AddSeconds(second);

    public Outcome Begins(long? journal = null, int? at = null) => Notice.Begins(new(At(at ?? Now), journal ?? ++seq), "begins", Hold, At(Now));

    public Outcome Ends(long? journal = null, int? at = null) => Notice.Ends(new(At(at ?? Now), journal ?? ++seq), "ends", At(Now));

    public Outcome Measured(double value, int? at = null, long? journal = null) =>
        Notice.Measured(new(At(at ?? Now), journal ?? ++seq), value, Threshold, $"is {value}", Hold, At(Now));

    public void Counted(int more) => Notice.Counted(more, "counted", Hold, At(Now));

    public Outcome Pass(int now) => Notice.Pass(At(Now = now));

    /// <summary>What it said since the last time: + raised, - cleared.</summary>
    public string Said => string.Concat(Notice.TakeEvents().Select(one => one is NoticeRaised ? '+' : '-'));

    private TimeSpan Hold => TimeSpan.FromSeconds(hold);
}

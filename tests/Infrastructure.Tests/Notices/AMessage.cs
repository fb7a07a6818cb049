using WebhookService.Application.Notices;
using WebhookService.Domain;
using WebhookService.Domain.Notices;

namespace WebhookService.Infrastructure.Tests.Notices;

/// <summary>Messages to targets.</summary>
internal static class AMessage
{
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public static NoticeLine Raised(string subject, string why = "is offline: network", string? topic = null) =>
        new("gone", NoticeKind.Offline, false, subject, topic, Noon, Noon.AddMinutes(-1), null, why, null);

    public static NoticeLine Cleared(string subject) =>
        new("gone", NoticeKind.Offline, true, subject, null, Noon, Noon.AddMinutes(-9), Noon.AddSeconds(-2), "is online again", null);

    public static NoticeMessage Of(params NoticeLine[] lines) => Of(0, 0, lines);

    public static NoticeMessage Of(long moreRaised, long moreCleared, params NoticeLine[] lines) =>
        new("notice-4711", new NoticeDispatched("ops", lines.Length == 1 ? new ClientId(lines[0].Subject) : null, Noon, lines, moreRaised, moreCleared), IsRepeated: false);

    public static NoticeTarget To(PostFormat format, string url = "https://hooks.example.com/x?token=t0ken", string? secret = null) => new()
    {
        Name = "ops",
        Kind = TargetKind.Http,
        MessagesPerMinute = 10,
        Url = new(url),
        Format = format,
        Secret = secret,
        AllowPrivate = true,
    };
}

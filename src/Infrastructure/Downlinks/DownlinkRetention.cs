using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Downlinks;

/// <summary>Messages to devices go when nothing more is waited for, with their keys.</summary>
internal sealed class DownlinkRetention(UnitOfWork work, IOptions<RetentionOptions> options)
    : TableRetention("downlinks", options.Value.Downlinks, work, "downlinks", "downlink_no", may: "finished = 1")
{
    protected override string ReadNewest { get; } = Sequence.ReadLast("downlinks", "downlinks", "downlink_no");
}

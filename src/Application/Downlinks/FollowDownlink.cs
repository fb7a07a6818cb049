using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;

namespace WebhookService.Application.Downlinks;

/// <summary>A message to a device is about to be sent.</summary>
internal sealed record AcceptDownlink(DownlinkOrder Order, string Broker, string? Key) : ICommand<AcceptedDownlink>;

/// <param name="IsToBeSent">False for a repetition of what may have been sent.</param>
internal sealed record AcceptedDownlink(long Id, DownlinkStatus Status, bool IsToBeSent, string? Problem);

/// <summary>The broker answered, or gave no answer that tells.</summary>
internal sealed record RecordPublishAnswer(long Id, PublishAnswer Answer) : ICommand<DownlinkStatus>;

/// <summary>The service has started: what waited for the broker's answer when it stopped will get none.</summary>
/// <param name="UpTo">The last number given before the start.</param>
public sealed record AbandonDownlinks(long UpTo) : ICommand;

/// <summary>Something is due for these downlinks.</summary>
public sealed record MeetDownlinkDeadlines(IReadOnlyList<long> Ids) : ICommand;

internal sealed class FollowDownlinkHandler(IDownlinkRepository downlinks, DownlinkFollower follower, ServiceMetrics metrics, TimeProvider time) :
    ICommandHandler<AcceptDownlink, AcceptedDownlink>,
    ICommandHandler<RecordPublishAnswer, DownlinkStatus>,
    ICommandHandler<AbandonDownlinks>,
    ICommandHandler<MeetDownlinkDeadlines>
{
    public async Task<AcceptedDownlink> Handle(AcceptDownlink command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var known = command.Key is null ? null : await downlinks.OfKeyAsync(command.Key, cancellationToken);
        if (known is not null && !known.Order.IsSameAs(command.Order)) throw new KeyTakenException(command.Key!, known.Id);
        if (known is not null && !known.AskedAgain(command.Broker, now)) return new(known.Id, known.Status, IsToBeSent: false, known.Problem);

        var downlink = known ?? Downlink.Accept(downlinks.NextId(), command.Order, command.Broker, command.Key, now);
        await downlinks.SaveAsync(downlink, cancellationToken);
        metrics.Followed(downlink.Status);
        return new(downlink.Id, downlink.Status, IsToBeSent: true, Problem: null);
    }

    public async Task<DownlinkStatus> Handle(RecordPublishAnswer command, CancellationToken cancellationToken)
    {
        if (await downlinks.FindAsync(command.Id, cancellationToken) is not { } downlink) return DownlinkStatus.Uncertain; // its device was forgotten meanwhile

        await follower.AnsweredAsync(downlink, command.Answer, cancellationToken);
        return downlink.Status;
    }

    public async Task<Outcome> Handle(AbandonDownlinks command, CancellationToken cancellationToken)
    {
        foreach (var id in await downlinks.UnansweredAsync(command.UpTo, cancellationToken))
            if (await downlinks.FindAsync(id, cancellationToken) is { } downlink)
                await follower.AnsweredAsync(
                    downlink, new(PublishResult.Unknown, Problem: "The service stopped before the broker's answer was written down: it may have been sent or not."), cancellationToken);
        return Outcome.Applied;
    }

    public async Task<Outcome> Handle(MeetDownlinkDeadlines command, CancellationToken cancellationToken)
    {
        foreach (var id in command.Ids)
            if (await downlinks.FindAsync(id, cancellationToken) is { } downlink)
                await follower.TellAsync(downlink, () => downlink.Pass(time.GetUtcNow()), cancellationToken);
        return Outcome.Applied;
    }
}

/// <summary>Brings downlinks and the reports of their messages together, whichever comes first. Inside commands only.</summary>
internal sealed class DownlinkFollower(IDownlinkRepository downlinks, IMessageRepository messages, ServiceMetrics metrics, TimeProvider time)
{
    /// <summary>A message that no device published was reported: it may be a downlink's.</summary>
    public async ValueTask ReportedAsync(Message message, CancellationToken cancellation)
    {
        var downlink = await downlinks.OfMessageAsync(message.Id, cancellation)
            ?? Downlink.Among(await downlinks.UnreportedAsync(message.Content.Topic, cancellation), message.Content);
        if (downlink is not null) await ReportedAsync(downlink, message, cancellation);
    }

    /// <summary>The broker's answer names the message, whose reports may have come before; where it does not, they are looked for.</summary>
    public async ValueTask AnsweredAsync(Downlink downlink, PublishAnswer answer, CancellationToken cancellation)
    {
        await TellAsync(downlink, () => downlink.Answered(answer, time.GetUtcNow()), cancellation);
        if (downlink.GivenId is { } given && await messages.FindAsync(given, receiver: null, cancellation) is { } named)
        {
            await ReportedAsync(downlink, named, cancellation);
            return;
        }
        if (downlink.Window is not var (from, to)) return;
        foreach (var id in await downlinks.RecordedAsync(downlink.Order.Topic, from, to, cancellation))
            if (await messages.FindAsync(id, receiver: null, cancellation) is { } message && downlink.MayBe(message.Content))
            {
                await ReportedAsync(downlink, message, cancellation);
                return;
            }
    }

    public async ValueTask TellAsync(Downlink downlink, Func<Outcome> fact, CancellationToken cancellation)
    {
        var before = downlink.Status;
        if (fact() is Outcome.Repeated) return;

        await downlinks.SaveAsync(downlink, cancellation);
        if (downlink.Status != before) metrics.Followed(downlink.Status);
    }

    private async ValueTask ReportedAsync(Downlink downlink, Message message, CancellationToken cancellation)
    {
        // A report speaks of one receiver, or of none: the delivery to our device is brought in.
        var whole = await messages.FindAsync(message.Id, downlink.Order.Client, cancellation) ?? message;
        await TellAsync(downlink, () => downlink.Reported(whole, time.GetUtcNow()), cancellation);
    }
}

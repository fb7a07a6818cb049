using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using NSubstitute;
using WebhookService.Application.Consumers;
using WebhookService.Application.Notices;
using WebhookService.Domain;
using WebhookService.Domain.Notices;
using WebhookService.Infrastructure.Tests;

namespace WebhookService.Application.Tests.Notices;

/// <summary>Rules and targets as configured, and the stores that notices see.</summary>
internal sealed class NoticeWorld
{
    private readonly Dictionary<NoticeKey, Notice> known = [];
    private readonly Dictionary<string, Outbox> outboxes = [];

    public NoticeWorld(params (string Key, string Value)[] settings)
    {
        Options = Read(settings);
        Notices.FindAsync(default, default).ReturnsForAnyArgs(call => ValueTask.FromResult(known.GetValueOrDefault(call.ArgAt<NoticeKey>(0))));
        Notices.SaveAsync((Notice)null!, default).ReturnsForAnyArgs(call =>
        {
            var notice = call.ArgAt<Notice>(0);
            known[notice.Key] = notice;
            Saves++;
            return ValueTask.FromResult(notice.TakeEvents());
        });
        Notices.OutboxAsync(null!, default).ReturnsForAnyArgs(call => ValueTask.FromResult(outboxes.GetValueOrDefault(call.ArgAt<string>(0)) ?? new Outbox(call.ArgAt<string>(0))));
        Notices.WhenForAnyArgs(port => port.SaveAsync((Outbox)null!, default)).Do(call =>
        {
            var outbox = call.ArgAt<Outbox>(0);
            outboxes[outbox.Target] = outbox;
            Sent.AddRange(outbox.TakeEvents().Cast<NoticeDispatched>().SelectMany(one => one.Notices.Select(line => $"{one.Target} {(line.IsCleared ? '-' : '+')}{line.Subject}")));
        });
        Notices.OpenDeadLettersAsync(default).ReturnsForAnyArgs(_ => ValueTask.FromResult<IReadOnlyList<Notice>>(
            [.. known.Values.Where(one => one.Key.Kind is NoticeKind.DeadLetter && one.State is not NoticeState.Clear)]));
        Store.HasDeadLettersAsync(null!, default).ReturnsForAnyArgs(call => ValueTask.FromResult(WithDeadLetters.Contains(call.ArgAt<string>(0))));
        Dispatch = new(Notices, Microsoft.Extensions.Options.Options.Create(Options));
        DeadLetters = new(Notices, Dispatch, Store, Microsoft.Extensions.Options.Options.Create(Options), Clock);
        Tell = new(Notices, Dispatch, Clock);
    }

    public NoticesOptions Options { get; }
    public AClock Clock { get; } = new(Ports.Noon);
    public INoticeRepository Notices { get; } = Substitute.For<INoticeRepository>();
    public IConsumerStore Store { get; } = Substitute.For<IConsumerStore>();
    public NoticeDispatch Dispatch { get; }
    public DeadLetterNotices DeadLetters { get; }
    public TellNoticeHandler Tell { get; }
    public HashSet<string> WithDeadLetters { get; } = [];
    public int Saves { get; private set; }

    /// <summary>What went to which target.</summary>
    public List<string> Sent { get; } = [];

    /// <summary>The options as the service reads them.</summary>
    /// <exception cref="OptionsValidationException">They have mistakes.</exception>
    public static NoticesOptions Read(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.Select(one => KeyValuePair.Create("Notices:" + one.Key, (string?)one.Value))).Build();
        return new OptionsFactory<NoticesOptions>(
            [new ConfigureOptions<NoticesOptions>(options => options.Read(configuration.GetSection(NoticesOptions.Section)))], [], [new NoticesOptionsCheck()]).Create("");
    }

    public Task<Outcome> TellAsync(string rule, NoticeFact fact, long seq, bool isReplay = false, string client = "pump-7") => Tell.Handle(
        new(Options.FindRule(rule)!, new(rule, Options.FindRule(rule)!.Kind, client), new(Clock.GetUtcNow(), seq), fact, isReplay), default);
}

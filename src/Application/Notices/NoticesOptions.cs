using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>`Notices`: what is watched, and who is told. Changes take a restart.</summary>
public sealed class NoticesOptions
{
    public const string Section = "Notices";

    public IReadOnlyList<NoticeRule> Rules { get; private set; } = [];
    public IReadOnlyList<NoticeTarget> Targets { get; private set; } = [];

    internal IReadOnlyList<string> Mistakes { get; private set; } = [];

    public NoticeRule? FindRule(string name) => Rules.FirstOrDefault(rule => rule.Name == name);

    public NoticeTarget? FindTarget(string name) => Targets.FirstOrDefault(target => target.Name == name);

    internal void Read(IConfigurationSection section)
    {
        var reader = new NoticesReader(section);
        Targets = reader.Targets();
        Rules = reader.Rules(Targets);
        Mistakes = reader.Mistakes;
    }
}

/// <summary>`Notices:Rules:‹name›`: what is watched.</summary>
public sealed record NoticeRule
{
    public const string ConsumerPrefix = "notice-rule-";

    public required string Name { get; init; }
    public required NoticeKind Kind { get; init; }

    /// <summary>How long the condition must hold.</summary>
    public required TimeSpan Hold { get; init; }

    /// <summary>Whether the targets are told the end too.</summary>
    public required bool Recovery { get; init; }
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>Which clients; null for all.</summary>
    public ClientIdPattern? Clients { get; init; }

    /// <summary>Which handlers' dead letters; null for all.</summary>
    public ClientIdPattern? Handlers { get; init; }

    /// <summary>Of <see cref="NoticeKind.Offline"/>: for which reasons; empty for all.</summary>
    public IReadOnlyCollection<DisconnectReason> Reasons { get; init; } = [];

    /// <summary>Of <see cref="NoticeKind.Threshold"/>, as the two below.</summary>
    public TopicFilter? Topic { get; init; }
    public JsonField? Field { get; init; }
    public Threshold? Threshold { get; init; }

    /// <summary>Who follows the journal for it; null where nobody has to.</summary>
    public string? Consumer => Kind is NoticeKind.DeadLetter ? null : ConsumerPrefix + Name;
}

public enum TargetKind
{
    Http,
    Email,
}

/// <summary>What is posted.</summary>
public enum PostFormat
{
    /// <summary>As Standard Webhooks have it: <c>{"type","timestamp","data"}</c>.</summary>
    Json,
    Slack,
    Teams,
    Dingtalk,
    Feishu,
    Wecom,
}

/// <summary>`Notices:Targets:‹name›`: who is told.</summary>
public sealed record NoticeTarget
{
    public const string ConsumerPrefix = "notice-target-";

    public required string Name { get; init; }
    public required TargetKind Kind { get; init; }

    /// <summary>Messages it takes in a minute; what comes beyond is bundled. 0 for no limit.</summary>
    public required int MessagesPerMinute { get; init; }

    /// <summary>Where to post; most hold a secret, so it stands in no message.</summary>
    public Uri? Url { get; init; }
    public PostFormat Format { get; init; }
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
    public string? Secret { get; init; }

    /// <summary>Whether the address may be one of a private network or of this machine.</summary>
    public bool AllowPrivate { get; init; }
    public MailSettings? Mail { get; init; }

    public string Consumer => ConsumerPrefix + Name;

    /// <summary>Where it stands in the configuration, for messages.</summary>
    public string Path => $"{NoticesOptions.Section}:Targets:{Name}";
}

/// <param name="Encrypt">Whether the connection is encrypted with STARTTLS; it fails where the server offers none.</param>
public sealed record MailSettings(string From, IReadOnlyList<string> To, string Host, int Port, bool Encrypt, string? User, string? Password);

internal sealed class NoticesOptionsCheck : IValidateOptions<NoticesOptions>
{
    public ValidateOptionsResult Validate(string? name, NoticesOptions options) =>
        options.Mistakes.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(options.Mistakes);
}

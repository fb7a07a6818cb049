using System.Net.Mail;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>Reads the section `Notices` and collects its mistakes, each a sentence that names the key. No sentence repeats a secret or an address.</summary>
internal sealed partial class NoticesReader(IConfigurationSection section)
{
    private static readonly TimeSpan LongestHold = TimeSpan.FromDays(30);

    private static readonly Dictionary<NoticeKind, string[]> SettingsOf = new()
    {
        [NoticeKind.Offline] = [nameof(RuleSettings.Clients), nameof(RuleSettings.Reasons)],
        [NoticeKind.Silence] = [nameof(RuleSettings.Clients)],
        [NoticeKind.Threshold] =
            [nameof(RuleSettings.Clients), nameof(RuleSettings.Topic), nameof(RuleSettings.Field), nameof(RuleSettings.Above), nameof(RuleSettings.Below), nameof(RuleSettings.ClearAt)],
        [NoticeKind.DeadLetter] = [nameof(RuleSettings.Handlers)],
    };

    private static readonly string[] SettingsOfAllRules = [nameof(RuleSettings.Kind), nameof(RuleSettings.Hold), nameof(RuleSettings.Recovery), nameof(RuleSettings.Targets)];

    private static readonly string[] MailSettingsOnly = [nameof(TargetSettings.From), nameof(TargetSettings.To), nameof(TargetSettings.Smtp)];

    private static readonly string[] HttpSettingsOnly =
        [nameof(TargetSettings.Url), nameof(TargetSettings.Format), nameof(TargetSettings.Headers), nameof(TargetSettings.Secret), nameof(TargetSettings.AllowPrivate)];

    private readonly List<string> mistakes = [];

    public IReadOnlyList<string> Mistakes => mistakes;

    public IReadOnlyList<NoticeTarget> Targets() => [.. Each<TargetSettings>("Targets").Select(one => Target(one.Key, one.Settings)).OfType<NoticeTarget>()];

    public IReadOnlyList<NoticeRule> Rules(IReadOnlyList<NoticeTarget> targets)
    {
        foreach (var other in section.GetChildren().Where(child => child.Key.ToUpperInvariant() is not ("RULES" or "TARGETS")))
            mistakes.Add($"{other.Path} is no setting. There are {section.Path}:Rules and {section.Path}:Targets.");
        return [.. Each<RuleSettings>("Rules").Select(one => Rule(one.Key, one.Settings, targets)).OfType<NoticeRule>()];
    }

    /// <summary>The named entries, without those whose values cannot be read.</summary>
    private IEnumerable<(IConfigurationSection Key, T Settings)> Each<T>(string list)
        where T : new()
    {
        foreach (var entry in section.GetSection(list).GetChildren())
        {
            if (!Name().IsMatch(entry.Key)) mistakes.Add($"{entry.Path}: a name is made of small letters, digits and hyphens, at most 60.");
            else if (!KnowsAll(entry, typeof(T))) continue;
            else if (Bound<T>(entry) is { } settings) yield return (entry, settings);
        }
    }

    private bool KnowsAll(IConfigurationSection entry, Type settings)
    {
        var (known, before) = (settings.GetProperties().Select(property => property.Name).ToList(), mistakes.Count);
        if (entry.Value is not null) mistakes.Add($"{entry.Path} is a text, but it has settings of its own: {string.Join(", ", known)}.");
        foreach (var child in entry.GetChildren())
            if (!known.Contains(child.Key, StringComparer.OrdinalIgnoreCase)) mistakes.Add($"{child.Path} is no setting. There are {string.Join(", ", known)}.");
            else if (!string.IsNullOrEmpty(child.Value) && settings.GetProperties().First(property => property.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase)).PropertyType.IsArray)
                mistakes.Add($"{child.Path} is a list: write {child.Path}:0, or [ \"…\" ] in a file.");
        return mistakes.Count == before;
    }

    private T? Bound<T>(IConfigurationSection entry)
        where T : new()
    {
        try
        {
            var settings = new T();
            entry.Bind(settings);
            return settings;
        }
        catch (InvalidOperationException mistake)
        {
            mistakes.Add($"{mistake.Message.TrimEnd('.')}. appsettings.json beside the program shows what it takes.");
            return default;
        }
    }

    // ---- rules ---------------------------------------------------------------------------------------------------------

    private NoticeRule? Rule(IConfigurationSection key, RuleSettings settings, IReadOnlyList<NoticeTarget> targets)
    {
        if (settings.Kind is null || !Words.TryRead<NoticeKind>(settings.Kind, out var kind))
        {
            mistakes.Add($"{key.Path}:Kind is {Shown(settings.Kind)}. There are {string.Join(", ", Words.All<NoticeKind>())}.");
            return null;
        }
        foreach (var child in key.GetChildren())
            if (!SettingsOfAllRules.Concat(SettingsOf[kind]).Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                mistakes.Add($"{child.Path} is for rules of another kind. One of the kind {settings.Kind} takes {string.Join(", ", SettingsOf[kind].Concat(SettingsOfAllRules))}.");

        var hold = settings.Hold ?? (kind is NoticeKind.Offline or NoticeKind.DeadLetter ? TimeSpan.FromMinutes(1) : TimeSpan.Zero);
        if (hold < TimeSpan.Zero || hold > LongestHold) mistakes.Add($"{key.Path}:Hold is {hold}: give 00:00:00 to 30.00:00:00.");
        foreach (var target in settings.Targets ?? [])
            if (targets.All(one => one.Name != target) && section.GetSection($"Targets:{target}").GetChildren().FirstOrDefault() is null)
                mistakes.Add($"{key.Path}:Targets names '{target}', but there is no {section.Path}:Targets:{target}.");

        return new NoticeRule
        {
            Name = key.Key,
            Kind = kind,
            Hold = hold,
            Recovery = settings.Recovery ?? true,
            Targets = [.. (settings.Targets ?? []).Distinct(StringComparer.Ordinal)],
            Clients = settings.Clients is { } clients ? ClientIdPattern.Parse(clients) : null,
            Handlers = settings.Handlers is { } handlers ? ClientIdPattern.Parse(handlers) : null,
            Reasons = Reasons(key, settings),
            Topic = kind is NoticeKind.Threshold ? Topic(key, settings) : null,
            Field = kind is NoticeKind.Threshold ? Try($"{key.Path}:Field", () => JsonField.Parse(settings.Field ?? "")) : null,
            Threshold = kind is NoticeKind.Threshold ? Limit(key, settings) : null,
        };
    }

    private List<DisconnectReason> Reasons(IConfigurationSection key, RuleSettings settings)
    {
        var reasons = new List<DisconnectReason>();
        foreach (var word in settings.Reasons ?? [])
            if (Words.TryRead<DisconnectReason>(word, out var reason)) reasons.Add(reason);
            else mistakes.Add($"{key.Path}:Reasons names '{word}', which is no reason. There are {string.Join(", ", Words.All<DisconnectReason>())}.");
        return reasons;
    }

    private TopicFilter? Topic(IConfigurationSection key, RuleSettings settings)
    {
        if (!string.IsNullOrEmpty(settings.Topic)) return Try($"{key.Path}:Topic", () => TopicFilter.Parse(settings.Topic));
        mistakes.Add($"{key.Path}:Topic is missing: give the topic filter of the messages that hold the value, such as site/+/state.");
        return null;
    }

    private Threshold? Limit(IConfigurationSection key, RuleSettings settings)
    {
        if ((settings.Above ?? settings.Below) is { } limit && settings.Above is null != settings.Below is null)
            return Try(key.Path, () => new Threshold(limit, settings.Above is not null, settings.ClearAt ?? limit));
        mistakes.Add($"{key.Path} needs either Above or Below: the limit beyond which the notice is raised.");
        return null;
    }

    // ---- targets -------------------------------------------------------------------------------------------------------

    private NoticeTarget? Target(IConfigurationSection key, TargetSettings settings)
    {
        if (!Words.TryRead<TargetKind>(settings.Kind ?? "http", out var kind))
        {
            mistakes.Add($"{key.Path}:Kind is {Shown(settings.Kind)}. There are {string.Join(", ", Words.All<TargetKind>())}.");
            return null;
        }
        foreach (var child in key.GetChildren())
            if ((kind is TargetKind.Http ? MailSettingsOnly : HttpSettingsOnly).Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                mistakes.Add($"{child.Path} is for targets of the kind {(kind is TargetKind.Http ? "email" : "http")}.");
        if (settings.MessagesPerMinute is < 0 or > 1_000) mistakes.Add($"{key.Path}:MessagesPerMinute is {settings.MessagesPerMinute}: give 1 to 1000, or 0 for no limit.");
        if (!Words.TryRead<PostFormat>(settings.Format ?? "json", out var format))
            mistakes.Add($"{key.Path}:Format is {Shown(settings.Format)}. There are {string.Join(", ", Words.All<PostFormat>())}.");
        if (!string.IsNullOrEmpty(settings.Secret) && format is PostFormat.Slack or PostFormat.Teams or PostFormat.Wecom)
            mistakes.Add($"{key.Path}:Secret has no use: {settings.Format} takes no signature, its address is the secret.");

        return new NoticeTarget
        {
            Name = key.Key,
            Kind = kind,
            MessagesPerMinute = settings.MessagesPerMinute,
            Url = kind is TargetKind.Http ? Url(key, settings) : null,
            Format = format,
            Headers = Headers(key, settings),
            Secret = string.IsNullOrEmpty(settings.Secret) ? null : settings.Secret,
            AllowPrivate = settings.AllowPrivate,
            Mail = kind is TargetKind.Email ? Mail(key, settings) : null,
        };
    }

    private Uri? Url(IConfigurationSection key, TargetSettings settings)
    {
        if (string.IsNullOrEmpty(settings.Url)) mistakes.Add($"{key.Path}:Url is missing: give the address to post to.");
        else if (!Uri.TryCreate(settings.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            mistakes.Add($"{key.Path}:Url is no address: give one with https or http.");
        else if (url.UserInfo.Length > 0) mistakes.Add($"{key.Path}:Url holds a user or password: give them as {key.Path}:Headers:Authorization.");
        else return url;
        return null;
    }

    private Dictionary<string, string> Headers(IConfigurationSection key, TargetSettings settings)
    {
        foreach (var (name, value) in settings.Headers)
        {
            var path = $"{key.Path}:Headers:{name}";
            if (!HeaderName().IsMatch(name)) mistakes.Add($"{path}: no header can be called so.");
            else if (name.StartsWith("webhook-", StringComparison.OrdinalIgnoreCase) || Ours.Contains(name)) mistakes.Add($"{path} is a header that the service writes itself.");
            if (value.Any(character => character is < ' ' or > '~')) mistakes.Add($"{path} holds a line break or another character that no header carries: was a file's last line break taken along?");
        }
        return settings.Headers;
    }

    private static readonly HashSet<string> Ours = new(StringComparer.OrdinalIgnoreCase) { "Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection" };

    private MailSettings? Mail(IConfigurationSection key, TargetSettings settings)
    {
        var (before, smtp) = (mistakes.Count, settings.Smtp ?? new SmtpSettings());
        if (!IsAddress(settings.From)) mistakes.Add($"{key.Path}:From is {Shown(settings.From)}: give the sender's mail address.");
        if (settings.To is not { Length: > 0 }) mistakes.Add($"{key.Path}:To is missing: give one mail address or several.");
        foreach (var to in settings.To ?? [])
            if (!IsAddress(to)) mistakes.Add($"{key.Path}:To has {Shown(to)}, which is no mail address.");
        if (string.IsNullOrWhiteSpace(smtp.Host)) mistakes.Add($"{key.Path}:Smtp:Host is missing: give the mail server's name.");
        if (smtp.Port is < 1 or > 65_535) mistakes.Add($"{key.Path}:Smtp:Port is {smtp.Port}: give 1 to 65535, usually 587 or 25.");
        if (smtp.Port == 465) mistakes.Add($"{key.Path}:Smtp:Port is 465, which speaks TLS from the first byte: that is not supported, give the port for STARTTLS (587).");
        if (smtp.Security is not ("starttls" or "none")) mistakes.Add($"{key.Path}:Smtp:Security is {Shown(smtp.Security)}. There are starttls and none.");
        if (string.IsNullOrEmpty(smtp.User) != string.IsNullOrEmpty(smtp.Password)) mistakes.Add($"{key.Path}:Smtp: User and Password go together.");
        else if (!string.IsNullOrEmpty(smtp.User) && smtp.Security is "none") mistakes.Add($"{key.Path}:Smtp:Security is none: the password would go over the wire as it is. Use starttls, or leave User and Password out.");
        return mistakes.Count > before ? null : new(settings.From!, settings.To!, smtp.Host!, smtp.Port, smtp.Security is "starttls", smtp.User, smtp.Password);
    }

    private static bool IsAddress(string? text) => text is not null && !text.Any(char.IsControl) && MailAddress.TryCreate(text, out _);

    private T? Try<T>(string path, Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (DomainException mistake)
        {
            mistakes.Add($"{path}: {mistake.Message.TrimEnd('.')}.");
            return null;
        }
    }

    private static string Shown(string? text) => string.IsNullOrEmpty(text) ? "missing" : $"'{text}'";

    // The limits go by the clock on the wall: a shorter one ends the start where the machine is busy.
    [GeneratedRegex("^[a-z0-9-]{1,60}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Name();

    [GeneratedRegex("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex HeaderName();

    private sealed class RuleSettings
    {
        public string? Kind { get; init; }
        public string? Clients { get; init; }
        public string? Handlers { get; init; }
        public TimeSpan? Hold { get; init; }
        public string[]? Reasons { get; init; }
        public string? Topic { get; init; }
        public string? Field { get; init; }
        public double? Above { get; init; }
        public double? Below { get; init; }
        public double? ClearAt { get; init; }
        public bool? Recovery { get; init; }
        public string[]? Targets { get; init; }
    }

    private sealed class TargetSettings
    {
        public string? Kind { get; init; }
        public string? Url { get; init; }
        public string? Format { get; init; }
        public Dictionary<string, string> Headers { get; init; } = [];
        public string? Secret { get; init; }
        public bool AllowPrivate { get; init; }
        public int MessagesPerMinute { get; init; } = 10;
        public string? From { get; init; }
        public string[]? To { get; init; }
        public SmtpSettings? Smtp { get; init; }
    }

    private sealed class SmtpSettings
    {
        public string? Host { get; init; }
        public int Port { get; init; } = 587;
        public string Security { get; init; } = "starttls";
        public string? User { get; init; }
        public string? Password { get; init; }
    }
}

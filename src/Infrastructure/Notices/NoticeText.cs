using System.Globalization;
using System.Text;
using WebhookService.Application.Notices;
using WebhookService.Domain.Notices;

namespace WebhookService.Infrastructure.Notices;

/// <summary>A message in words. What comes from devices (client ids, topics, reasons) is shown so that it can neither break a line nor hide.</summary>
internal static class NoticeText
{
    private const int LongestSubject = 200;
    private const int LongestWhy = 300;

    /// <summary>One line for all of it.</summary>
    public static string Title(NoticeDispatched message)
    {
        var (raised, cleared) = Counts(message);
        if (raised + cleared == 1) return Cut(Head(message.Notices[0]), LongestSubject + 100);
        return (raised, cleared) switch
        {
            (_, 0) => $"{raised} notices raised",
            (0, _) => $"{cleared} notices cleared",
            _ => $"{raised} notices raised, {cleared} cleared",
        };
    }

    /// <summary>All of it, in no more bytes than so: what does not fit is counted in the last line.</summary>
    /// <param name="change">Makes a line safe for where it is shown.</param>
    public static string Of(NoticeMessage said, int mostBytes, Func<string, string> change)
    {
        var (message, lines) = (said.Content, new List<string>());
        var (raised, cleared) = Counts(message);
        if (said.IsRepeated) lines.Add("(sent again on request)");
        if (raised + cleared > 1) lines.Add(Title(message) + ":");

        var left = mostBytes - lines.Sum(Size) - 100; // room for the last line
        foreach (var notice in message.Notices)
        {
            var line = change(Line(notice));
            if ((left -= Size(line)) < 0 && (raised, cleared) != Counts(message)) break;
            lines.Add(left >= 0 ? line : Fitting(line, left + Size(line)));
            if (notice.IsCleared) cleared--;
            else raised--;
        }
        if (raised + cleared > 0)
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"… and {raised + cleared:N0} more{(raised > 0 && cleared > 0 ? $" ({raised:N0} raised, {cleared:N0} cleared)" : cleared > 0 ? " cleared" : " raised")}"));
        return string.Join('\n', lines);
    }

    private static string Line(NoticeLine notice) => $"{Head(notice)}. {(notice.Until is { } until ? $"It lasted from {Time(notice.Since)} to {Time(until)} UTC." : $"Since {Time(notice.Since)} UTC.")}";

    private static string Head(NoticeLine notice) =>
        $"{(notice.IsCleared ? "CLEARED" : "RAISED")} {notice.Rule}: {Shown(notice.Subject, LongestSubject)}{(notice.Topic is { } topic ? $" on {Shown(topic, LongestSubject)}" : "")} {Shown(notice.Why, LongestWhy)}"
        + (notice is { Kind: NoticeKind.DeadLetter, Value: { } count, IsCleared: false } ? string.Create(CultureInfo.InvariantCulture, $" ({count:N0} so far)") : "");

    private static (long Raised, long Cleared) Counts(NoticeDispatched message) => (
        message.Notices.Count(notice => !notice.IsCleared) + message.MoreRaised, message.Notices.Count(notice => notice.IsCleared) + message.MoreCleared);

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>Line breaks, control characters and those that turn the direction of writing are written as their number.</summary>
    private static string Shown(string text, int most)
    {
        var shown = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (shown.Length >= most) return shown.Append('…').ToString();
            if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                shown.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            else
                shown.Append(rune.ToString());
        }
        return shown.ToString();
    }

    private static int Size(string line) => Encoding.UTF8.GetByteCount(line) + 1;

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)] + "…";

    private static string Fitting(string line, int bytes)
    {
        var fitting = new StringBuilder();
        foreach (var rune in line.EnumerateRunes())
        {
            if ((bytes -= rune.Utf8SequenceLength) < 4) break;
            fitting.Append(rune.ToString());
        }
        return fitting.Append('…').ToString();
    }
}

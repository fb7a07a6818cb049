using Microsoft.Extensions.Options;
using WebhookService.Application.Notices;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Tests.Notices;

public sealed class NoticesOptionsTests
{
    [Fact]
    public void Nothing_configured_is_nothing_watched()
    {
        var options = NoticeWorld.Read();

        Assert.Empty(options.Rules);
        Assert.Empty(options.Targets);
    }

    [Fact]
    public void Rules_and_targets_are_read_with_their_defaults()
    {
        var options = NoticeWorld.Read(
            ("Targets:ops:Url", "https://hooks.example.com/x"), ("Targets:ops:Format", "slack"),
            ("Targets:mail:Kind", "email"), ("Targets:mail:From", "a@example.com"), ("Targets:mail:To:0", "Ops <b@example.com>"), ("Targets:mail:Smtp:Host", "mail"),
            ("Rules:gone:Kind", "offline"), ("Rules:gone:Clients", "pump-*"), ("Rules:gone:Reasons:0", "keepalive-timeout"), ("Rules:gone:Targets:0", "ops"),
            ("Rules:hot:Kind", "threshold"), ("Rules:hot:Topic", "site/+/state"), ("Rules:hot:Field", "a.b"), ("Rules:hot:Above", "90.5"), ("Rules:hot:ClearAt", "85"),
            ("Rules:lost:Kind", "dead-letter"), ("Rules:lost:Recovery", "false"));

        var (gone, hot, lost) = (options.FindRule("gone")!, options.FindRule("hot")!, options.FindRule("lost")!);
        Assert.Equal((NoticeKind.Offline, TimeSpan.FromMinutes(1), true, "pump-*"), (gone.Kind, gone.Hold, gone.Recovery, gone.Clients!.ToString()));
        Assert.Equal([DisconnectReason.KeepaliveTimeout], gone.Reasons);
        Assert.Equal(["ops"], gone.Targets);
        Assert.Equal(new Threshold(90.5, isAbove: true, clearAt: 85), hot.Threshold);
        Assert.Equal((TimeSpan.Zero, "site/+/state", "a.b"), (hot.Hold, hot.Topic!.Text, hot.Field!.Text));
        Assert.Equal((false, null), (lost.Recovery, lost.Consumer));
        Assert.Equal((PostFormat.Slack, 10), (options.FindTarget("ops")!.Format, options.FindTarget("ops")!.MessagesPerMinute));
        Assert.Equal(("mail", 587, true), (options.FindTarget("mail")!.Mail!.Host, options.FindTarget("mail")!.Mail!.Port, options.FindTarget("mail")!.Mail!.Encrypt));
    }

    [Theory]
    [InlineData("Rule:x:Kind=offline", "Notices:Rule is no setting.")]
    [InlineData("Rules:x:Hold=00:01:00", "Notices:Rules:x:Kind is missing. There are offline, silence, threshold, dead-letter.")]
    [InlineData("Rules:x:Kind=offlin", "Notices:Rules:x:Kind is 'offlin'.")]
    [InlineData("Rules:x=offline", "Notices:Rules:x is 'offline', but it has settings of its own")]
    [InlineData("Rules:X y:Kind=offline", "Notices:Rules:X y: a name is made of small letters")]
    [InlineData("Rules:x:Kind=offline|Rules:x:Holt=1", "Notices:Rules:x:Holt is no setting. There are Kind, ")]
    [InlineData("Rules:x:Kind=offline|Rules:x:Topic=a", "Notices:Rules:x:Topic is for rules of another kind. One of the kind offline takes Clients, Reasons, ")]
    [InlineData("Rules:x:Kind=offline|Rules:x:Hold=soon", "Failed to convert configuration value 'soon' at 'Notices:Rules:x:Hold'")]
    [InlineData("Rules:x:Kind=offline|Rules:x:Hold=31.00:00:00", "Notices:Rules:x:Hold is 31.00:00:00: give 00:00:00 to 30.00:00:00.")]
    [InlineData("Rules:x:Kind=offline|Rules:x:Reasons:0=tired", "Notices:Rules:x:Reasons names 'tired', which is no reason. There are other, client-disconnect")]
    [InlineData("Rules:x:Kind=offline|Rules:x:Targets:0=nobody", "Notices:Rules:x:Targets names 'nobody', but there is no Notices:Targets:nobody.")]
    [InlineData("Rules:x:Kind=offline|Rules:x:Targets=ops", "Notices:Rules:x:Targets is a list: write Notices:Rules:x:Targets:0, or [ \"…\" ] in a file.")]
    [InlineData("Rules:x:Kind=threshold|Rules:x:Above=1", "Notices:Rules:x:Topic is missing")]
    [InlineData("Rules:x:Kind=threshold|Rules:x:Topic=a/#/b|Rules:x:Above=1", "Notices:Rules:x:Topic: In the topic filter 'a/#/b'")]
    [InlineData("Rules:x:Kind=threshold|Rules:x:Topic=a", "Notices:Rules:x needs either Above or Below")]
    [InlineData("Rules:x:Kind=threshold|Rules:x:Topic=a|Rules:x:Above=1|Rules:x:Below=0", "Notices:Rules:x needs either Above or Below")]
    [InlineData("Rules:x:Kind=threshold|Rules:x:Topic=a|Rules:x:Above=1|Rules:x:ClearAt=2", "Notices:Rules:x: ClearAt is 2, above the limit 1")]
    [InlineData("Rules:x:Kind=threshold|Rules:x:Topic=a|Rules:x:Above=NaN", "Notices:Rules:x: the limit is no finite number.")]
    [InlineData("Rules:x:Kind=threshold|Rules:x:Topic=a|Rules:x:Above=1|Rules:x:Field=a..b", "Notices:Rules:x:Field: 'a..b' has an empty name in it.")]
    [InlineData("Targets:t:Format=json", "Notices:Targets:t:Url is missing")]
    [InlineData("Targets:t:Kind=fax", "Notices:Targets:t:Kind is 'fax'. There are http, email.")]
    [InlineData("Targets:t:Url=ftp://example.com", "Notices:Targets:t:Url is no address: give one with https or http.")]
    [InlineData("Targets:t:Url=https://me:secret@example.com", "Notices:Targets:t:Url holds a user or password")]
    [InlineData("Targets:t:Url=https://example.com|Targets:t:Format=irc", "Notices:Targets:t:Format is 'irc'. There are json, slack, teams, dingtalk, feishu, wecom.")]
    [InlineData("Targets:t:Url=https://example.com|Targets:t:Format=slack|Targets:t:Secret=s", "Notices:Targets:t:Secret has no use")]
    [InlineData("Targets:t:Url=https://example.com|Targets:t:MessagesPerMinute=-1", "Notices:Targets:t:MessagesPerMinute is -1: give 1 to 1000, or 0 for no limit.")]
    [InlineData("Targets:t:Url=https://example.com|Targets:t:Headers:X-Key=a\nb", "Notices:Targets:t:Headers:X-Key holds a line break")]
    [InlineData("Targets:t:Url=https://example.com|Targets:t:Headers:webhook-id=1", "Notices:Targets:t:Headers:webhook-id is a header that the service writes itself.")]
    [InlineData("Targets:t:Url=https://example.com|Targets:t:Headers:a b=1", "Notices:Targets:t:Headers:a b: no header can be called so.")]
    [InlineData("Targets:t:Url=https://example.com|Targets:t:To:0=a@b.c", "Notices:Targets:t:To is for targets of the kind email.")]
    [InlineData("Targets:t:Kind=email|Targets:t:To:0=a@b.c|Targets:t:Smtp:Host=m", "Notices:Targets:t:From is missing: give the sender's mail address.")]
    [InlineData("Targets:t:Kind=email|Targets:t:From=a@b.c|Targets:t:Smtp:Host=m", "Notices:Targets:t:To is missing")]
    [InlineData("Targets:t:Kind=email|Targets:t:From=a@b.c|Targets:t:To:0=x\r\nBcc: y@z|Targets:t:Smtp:Host=m", "Notices:Targets:t:To has 'x\r\nBcc: y@z', which is no mail address.")]
    [InlineData("Targets:t:Kind=email|Targets:t:From=a@b.c|Targets:t:To:0=a@b.c", "Notices:Targets:t:Smtp:Host is missing")]
    [InlineData("Targets:t:Kind=email|Targets:t:From=a@b.c|Targets:t:To:0=a@b.c|Targets:t:Smtp:Host=m|Targets:t:Smtp:Port=465", "Notices:Targets:t:Smtp:Port is 465")]
    [InlineData("Targets:t:Kind=email|Targets:t:From=a@b.c|Targets:t:To:0=a@b.c|Targets:t:Smtp:Host=m|Targets:t:Smtp:Security=ssl", "Notices:Targets:t:Smtp:Security is 'ssl'. There are starttls and none.")]
    [InlineData("Targets:t:Kind=email|Targets:t:From=a@b.c|Targets:t:To:0=a@b.c|Targets:t:Smtp:Host=m|Targets:t:Smtp:User=u", "Notices:Targets:t:Smtp: User and Password go together.")]
    [InlineData("Targets:t:Kind=email|Targets:t:From=a@b.c|Targets:t:To:0=a@b.c|Targets:t:Smtp:Host=m|Targets:t:Smtp:Security=none|Targets:t:Smtp:User=u|Targets:t:Smtp:Password=p", "the password would go over the wire as it is")]
    [InlineData("Targets:t:Kind=email|Targets:t:Url=https://example.com|Targets:t:From=a@b.c|Targets:t:To:0=a@b.c|Targets:t:Smtp:Host=m", "Notices:Targets:t:Url is for targets of the kind http.")]
    public void A_mistake_is_told_in_one_sentence_that_names_the_key(string settings, string sentence)
    {
        var pairs = settings.Split('|').Select(pair => pair.Split('=', 2)).Select(pair => (pair[0], pair[1])).ToArray();

        var mistake = Assert.Single(Assert.Throws<OptionsValidationException>(() => NoticeWorld.Read(pairs)).Failures);

        Assert.Contains(sentence, mistake, StringComparison.Ordinal);
        Assert.DoesNotContain("secret@", mistake, StringComparison.Ordinal);
    }
}

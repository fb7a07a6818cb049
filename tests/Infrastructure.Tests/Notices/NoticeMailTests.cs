using System.Text;
using WebhookService.Application.Consumers;
using WebhookService.Application.Notices;
using WebhookService.Infrastructure.Notices;
using static WebhookService.Infrastructure.Tests.Notices.AMessage;

namespace WebhookService.Infrastructure.Tests.Notices;

public sealed class NoticeMailTests
{
    [Fact]
    public async Task A_notice_is_a_plain_mail_to_everybody_it_is_for()
    {
        await using var server = new AMailServer();

        await SendAsync(server, Of(Raised("pump-7")));

        var mail = Mail(server);
        Assert.Contains("MAIL FROM:<webhooks@example.com>", server.Heard);
        Assert.Equal(["RCPT TO:<ops@example.com>", "RCPT TO:<boss@example.com>"], server.Heard.Where(command => command.StartsWith("RCPT", StringComparison.Ordinal)));
        Assert.Contains("Subject: RAISED gone: pump-7 is offline: network\n", mail, StringComparison.Ordinal);
        Assert.Contains("Message-ID: <notice-4711@example.com>\n", mail, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Content-Type: text/plain; charset=utf-8\n", mail, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("RAISED gone: pump-7 is offline: network. Since 2026-03-01 11:59:00 UTC.\r\n", Body(mail));
    }

    [Fact]
    public async Task A_client_id_adds_no_header_and_ends_no_mail()
    {
        await using var server = new AMailServer();

        await SendAsync(server, Of(Raised("x\r\nBcc: evil@example.com\r\n\r\n.\r\nMAIL FROM:<evil@example.com>\r\nü")));

        var mail = Mail(server);
        Assert.DoesNotContain("\nBcc", mail, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(server.Heard, command => command.StartsWith("MAIL FROM:<evil", StringComparison.Ordinal));
        Assert.Contains(@"x\u000d\u000aBcc: evil@example.com\u000d\u000a", Body(mail), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("RCPT", "550 no such user", typeof(GiveUpException))]
    [InlineData("RCPT", "450 come later", typeof(NoticeNotSentException))]
    [InlineData("RCPT TO:<boss", "450 come later", typeof(GiveUpException))] // the others have it
    [InlineData("MAIL", "451 broken", typeof(NoticeNotSentException))]
    [InlineData("DATA", "554 spam", typeof(GiveUpException))]
    public async Task What_the_server_will_never_take_is_given_up_and_all_else_is_tried_again(string command, string answer, Type failure)
    {
        await using var server = new AMailServer { Answers = { [command] = answer } };

        var thrown = await Record.ExceptionAsync(() => SendAsync(server, Of(Raised("pump-7"))));

        Assert.IsType(failure, thrown);
        Assert.StartsWith("mail: the mail server did not take the message", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_encryption_is_wanted_and_not_offered_nothing_is_sent()
    {
        await using var server = new AMailServer();

        await Assert.ThrowsAsync<NoticeNotSentException>(() => SendAsync(server, Of(Raised("pump-7")), encrypt: true));

        Assert.DoesNotContain(server.Heard, command => command.StartsWith("MAIL", StringComparison.Ordinal));
    }

    private static Task SendAsync(AMailServer server, NoticeMessage message, bool encrypt = false) => NoticeMail.SendAsync(
        new NoticeTarget
        {
            Name = "mail",
            Kind = TargetKind.Email,
            MessagesPerMinute = 10,
            Mail = new("webhooks@example.com", ["ops@example.com", "boss@example.com"], "127.0.0.1", server.Port, encrypt, null, null),
        },
        message, CancellationToken.None);

    private static string Mail(AMailServer server) => Assert.Single(server.Heard, heard => heard.Contains("Subject:", StringComparison.Ordinal));

    private static string Body(string mail) => Encoding.UTF8.GetString(Convert.FromBase64String(mail[mail.IndexOf("\n\n", StringComparison.Ordinal)..].Replace("\n", "", StringComparison.Ordinal)));
}

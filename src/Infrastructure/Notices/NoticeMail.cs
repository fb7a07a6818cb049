using System.Net;
using System.Net.Mail;
using System.Net.Mime;
using System.Text;
using WebhookService.Application.Consumers;
using WebhookService.Application.Notices;

namespace WebhookService.Infrastructure.Notices;

/// <summary>Sends messages as mail: plain text, encoded so that nothing in it can be taken for a command or a header.</summary>
internal static class NoticeMail
{
    public static async Task SendAsync(NoticeTarget target, NoticeMessage message, CancellationToken cancellation)
    {
        var settings = target.Mail!;
        using var mail = Compose(settings, message);
        using var smtp = new SmtpClient(settings.Host, settings.Port) { EnableSsl = settings.Encrypt };
        if (!string.IsNullOrEmpty(settings.User)) smtp.Credentials = new NetworkCredential(settings.User, settings.Password);
        try
        {
            await smtp.SendMailAsync(mail, cancellation);
        }
        catch (SmtpFailedRecipientException failure) when (!cancellation.IsCancellationRequested)
        {
            // Those it was sent to already would get it again with each try, so then there is none.
            IReadOnlyList<SmtpFailedRecipientException> failed = failure is SmtpFailedRecipientsException several ? several.InnerExceptions : [failure];
            var said = $"{target.Name}: the mail server did not take the message for {string.Join(", ", failed.Select(one => $"{one.FailedRecipient} ({one.StatusCode})"))}";
            throw failed.Count < settings.To.Count || failed.All(one => IsFinal(one.StatusCode)) ? new GiveUpException(said, failure) : new NoticeNotSentException(said, failure);
        }
        catch (SmtpException failure) when (!cancellation.IsCancellationRequested)
        {
            var said = $"{target.Name}: the mail server did not take the message: {(failure.InnerException ?? failure).Message.TrimEnd('.')} ({failure.StatusCode})";
            throw IsFinal(failure.StatusCode) ? new GiveUpException(said, failure) : new NoticeNotSentException(said, failure);
        }
    }

    private static bool IsFinal(SmtpStatusCode code) => (int)code is >= 500 and < 600;

    private static MailMessage Compose(MailSettings settings, NoticeMessage message)
    {
        var mail = new MailMessage
        {
            From = new MailAddress(settings.From),
            Subject = NoticeText.Title(message.Content),
            SubjectEncoding = Encoding.UTF8,
            Body = NoticeText.Of(message, 100_000, line => line).Replace("\n", "\r\n", StringComparison.Ordinal) + "\r\n",
            BodyEncoding = Encoding.UTF8,
            BodyTransferEncoding = TransferEncoding.Base64,
        };
        foreach (var to in settings.To) mail.To.Add(new MailAddress(to));
        mail.Headers.Add("Message-ID", $"<{message.Id}@{mail.From.Host}>"); // the same at each try: a mail that comes twice is known
        mail.Headers.Add("Auto-Submitted", "auto-generated"); // RFC 3834: nobody answers it by machine
        return mail;
    }
}

using System.Text;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Tests.Sessions;

namespace WebhookService.Domain.Tests.Messages;

internal static class AMessage
{
    public static readonly ClientId Receiver = new("panel-1");

    public static MessageContent Content(int qos = 1, bool retain = false, string payload = "hello") => new(
        new MessageId(7), AHistory.Client, FromDevice: true, "u", "a/b", qos, retain, AHistory.At(1), Payload.OfText(Encoding.UTF8.GetBytes(payload)), null);

    public static Message Unheard() => Message.Of(Content(), AHistory.Now);

    public static Message Published()
    {
        var message = Unheard();
        message.Published(Content());
        message.TakeEvents();
        return message;
    }
}

using System.Text;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Consumers;

namespace WebhookService.Victim;

/// <summary>
/// The handler whose invocations the test counts: a line `key topic replay process` in a file for each, written before it returns. Every third
/// event of the clients 1 and 3 fails at its first try, every seventh of all for ever.
/// </summary>
[Topic("t/{client}/{n}")]
internal sealed class Witness(Death death) : IMessageHandler<string>
{
    private static long newest;
    private readonly FileStream file = new("witness.txt", FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
    private readonly Lock turn = new();

    /// <summary>The newest event that was handled.</summary>
    public static long Newest => Interlocked.Read(ref newest);

    public async Task HandleAsync(string payload, HandlingContext context, CancellationToken cancellation)
    {
        death.At("before-handling");
        var n = int.Parse(context.Topic["n"], System.Globalization.CultureInfo.InvariantCulture);
        var client = context.Topic["client"];
        if (client is "0" && death.Waits("out-of-order")) await Task.Delay(Timeout.Infinite, cancellation); // a lane that the others overtake
        if (n % 7 == 0) throw new GiveUpException("a seventh");
        if (n % 3 == 0 && client is "1" or "3" && context.Attempt == 1) throw new InvalidOperationException("a third");
        lock (turn)
        {
            file.Write(Encoding.UTF8.GetBytes($"{context.Key} {context.Message!.Topic} {context.IsReplay} {Environment.ProcessId}\n"));
            if (context.Key > newest) Interlocked.Exchange(ref newest, context.Key);
        }
        death.At("during-handling");
        if (context.IsReplay) death.At("during-replay");
    }
}

using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace WebhookService.Api.Tests.Webhooks;

/// <summary>What is no webhook does not go the short way; see docs/decisions/0014-the-short-way-of-a-webhook.md.</summary>
public sealed class ShortWayTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_question_that_blocks_its_thread_hears_that_its_reader_hung_up()
    {
        var began = new TaskCompletionSource();
        var heard = new TaskCompletionSource<bool>();
        await using var api = await ApiHost.StartAsync(map: app => app.MapGet("/test/blocks", (HttpContext context) =>
        {
            began.SetResult();
            heard.SetResult(context.RequestAborted.WaitHandle.WaitOne(Patience));
        }).AllowAnonymous());

        using (var reader = new Socket(SocketType.Stream, ProtocolType.Tcp))
        {
            await reader.ConnectAsync(api.Address.Host, api.Address.Port);
            await reader.SendAsync(Encoding.ASCII.GetBytes("GET /test/blocks HTTP/1.1\r\nHost: x\r\n\r\n"));
            await began.Task.WaitAsync(Patience);
        }

        Assert.True(await heard.Task);
    }
}

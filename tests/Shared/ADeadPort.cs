using System.Net;
using System.Net.Sockets;

namespace WebhookService.Tests;

/// <summary>An address of this machine that refuses connections, as long as this lives: nobody else can get its port meanwhile.</summary>
internal sealed class ADeadPort : IDisposable
{
    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public ADeadPort() => socket.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // and does not listen

    public string Url => $"http://{socket.LocalEndPoint}";

    public void Dispose() => socket.Dispose();
}

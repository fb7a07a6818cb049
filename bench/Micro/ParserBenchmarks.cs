using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using WebhookService.Api.Webhooks;
using WebhookService.Bench.Ingest;

namespace WebhookService.Bench.Micro;

/// <summary>From the body of a webhook to the command, for each of the events that the loads of `ingest` send.</summary>
public class ParserBenchmarks
{
    private static readonly EmqxSource Source = new();
    private static readonly SourceOptions Options = new();
    private static readonly HeaderDictionary Headers = [];

    private readonly byte[] publish = Body(EventKind.Publish);
    private readonly byte[] delivered = Body(EventKind.Delivered);
    private readonly byte[] acked = Body(EventKind.Acked);
    private readonly byte[] connected = Body(EventKind.Connected);
    private readonly byte[] disconnected = Body(EventKind.Disconnected);
    private readonly byte[] subscribed = Body(EventKind.Subscribed);

    [Benchmark]
    public object Publish() => CommandOf(publish);

    [Benchmark]
    public object Delivered() => CommandOf(delivered);

    [Benchmark]
    public object Acked() => CommandOf(acked);

    [Benchmark]
    public object Connected() => CommandOf(connected);

    [Benchmark]
    public object Disconnected() => CommandOf(disconnected);

    [Benchmark]
    public object Subscribed() => CommandOf(subscribed);

    internal static byte[] Body(EventKind kind)
    {
        var template = new RequestTemplate(new Uri("http://localhost"), kind, run: 0, connection: 0);
        var request = new byte[template.Length];
        template.Write(request, new RequestValues(Client: 1, Publisher: 2, Now: 1_767_225_600_123, Then: 1_767_225_600_000, Message: 1));
        return request[(request.AsSpan().IndexOf("\r\n\r\n"u8) + 4)..];
    }

    private static object CommandOf(byte[] body)
    {
        var translation = Source.Translate(new Webhook("emqx", Options, Headers, body, DateTimeOffset.UnixEpoch));
        foreach (var element in ((Translation.Understood)translation).Elements)
            if (element.Command is { } command) return command;
        throw new InvalidOperationException("The body was not understood.");
    }
}

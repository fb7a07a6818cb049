using System.Collections.Concurrent;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Reports;

namespace WebhookService.Api.Tests.Handlers;

/// <summary>What the handlers of these tests do, and what they were given.</summary>
public sealed class Script
{
    public ConcurrentQueue<(string Handler, HandlingContext Context)> Calls { get; } = [];
    public Func<ReportReceived, Task> Do { get; set; } = _ => Task.CompletedTask;
}

[Handler(IsOff = true, Attempts = 1)]
public sealed class Scripted(Script script) : IBusinessHandler<ReportReceived>
{
    public async Task HandleAsync(ReportReceived happened, HandlingContext context, CancellationToken cancellation)
    {
        await script.Do(happened);
        script.Calls.Enqueue(("scripted", context));
    }
}

[Handler(IsOff = true)]
public sealed class TwoKinds(Script script) : IBusinessHandler<DeviceDiscovered>, IBusinessHandler<DeviceWentOnline>
{
    public Task HandleAsync(DeviceDiscovered happened, HandlingContext context, CancellationToken cancellation) => NoteAsync("discovered", context);

    public Task HandleAsync(DeviceWentOnline happened, HandlingContext context, CancellationToken cancellation) => NoteAsync("online", context);

    private Task NoteAsync(string what, HandlingContext context)
    {
        script.Calls.Enqueue((what, context));
        return Task.CompletedTask;
    }
}

[Handler(IsOff = true)]
public sealed class Everything(Script script) : IBusinessHandler<IDomainEvent>
{
    public Task HandleAsync(IDomainEvent happened, HandlingContext context, CancellationToken cancellation)
    {
        script.Calls.Enqueue((happened.GetType().Name, context));
        return Task.CompletedTask;
    }
}

[Topic("alarm/#")]
[Handler(IsOff = true)]
public sealed class ScriptedMessages(Script script) : IMessageHandler<string>
{
    public Task HandleAsync(string payload, HandlingContext context, CancellationToken cancellation)
    {
        script.Calls.Enqueue((payload, context));
        return Task.CompletedTask;
    }
}

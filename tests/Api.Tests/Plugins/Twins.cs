using WebhookService.Application.BusinessHandlers;

namespace WebhookService.Api.Tests.Plugins;

internal static class Twins
{
    /// <summary>Has the name of a handler of the sample.</summary>
    [Handler(IsOff = true)]
    internal sealed class WriteAlarms : IMessageHandler<string>
    {
        public Task HandleAsync(string payload, HandlingContext context, CancellationToken cancellation) => Task.CompletedTask;
    }
}

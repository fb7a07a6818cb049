using Microsoft.Extensions.DependencyInjection;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Domain;

namespace WebhookService.Bench.Handlers;

/// <summary>The real service with handlers that do nothing; `Handlers:bench-1:Enabled` switches them on.</summary>
internal static class HandlerServer
{
    public const string Verb = "service-with-handlers";

    public static async Task RunAsync()
    {
        await using var app = Api.Program.Create([], builder => builder.Services.AddSingleton(new HandlerAssembly(typeof(HandlerServer).Assembly)));
        await app.RunAsync();
    }
}

internal abstract class Trivial : IBusinessHandler<IDomainEvent>
{
    public Task HandleAsync(IDomainEvent happened, HandlingContext context, CancellationToken cancellation) => Task.CompletedTask;
}

[Handler(Name = "bench-1", IsOff = true)]
internal sealed class Bench1 : Trivial;

[Handler(Name = "bench-2", IsOff = true)]
internal sealed class Bench2 : Trivial;

[Handler(Name = "bench-3", IsOff = true)]
internal sealed class Bench3 : Trivial;

[Handler(Name = "bench-4", IsOff = true)]
internal sealed class Bench4 : Trivial;

[Handler(Name = "bench-5", IsOff = true)]
internal sealed class Bench5 : Trivial;

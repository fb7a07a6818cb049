using MediatR;
using WebhookService.Domain;

namespace WebhookService.Application.Common;

/// <summary>A request to change state. Answered after its transaction is on disk; see the group commit in Infrastructure.</summary>
public interface ICommand : ICommand<Outcome>;

/// <inheritdoc cref="ICommand"/>
public interface ICommand<out TResult> : IRequest<TResult>;

public interface ICommandHandler<in TCommand> : IRequestHandler<TCommand, Outcome>
    where TCommand : ICommand;

public interface ICommandHandler<in TCommand, TResult> : IRequestHandler<TCommand, TResult>
    where TCommand : ICommand<TResult>;

/// <summary>A question about state; answered past the domain, by SQL beside its handler.</summary>
public interface IQuery<out TResult> : IRequest<TResult>;

public interface IQueryHandler<in TQuery, TResult> : IRequestHandler<TQuery, TResult>
    where TQuery : IQuery<TResult>;
